package accesslog

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"

	"sluice/internal/exchange"
)

func hidden(s string, query bool) string {
	return string(newNameSet([]string{"X-Our_Own"}).appendURL(nil, []byte(s), query, 4096, asJSON))
}

func TestHidesValuesOfSensitiveNames(t *testing.T) {
	for _, name := range []string{
		"token", "access_token", "id_token", "refresh_token", "code", "key", "api_key", "apikey", "api-key", "X-Api-Key", "secret", "client_secret",
		"password", "passwd", "pwd", "pass", "auth", "authorization", "session", "sessionid", "PHPSESSID", "JSESSIONID", "sid", "connect.sid", "sig",
		"signature", "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "jwt", "TOKEN", "userPassword", "user[password]", "user%5Bpwd%5D",
		"%74oken", "acces%73%5ftoken", "oauth_token", "csrf_token", "code_verifier", "SAMLResponse", "client_assertion", "x-our-own", "xourown", "otp",
		"AWSAccessKeyId", "pw", "psw", "psk", "wifi_psk", "access_code", "verification_code", "one_time_code", "one-time-code", "device_code", "user_code", "activation_key",
		"licence_key", "license_key", "license", "licence", "oauth_verifier", "card_number", "creditCardNumber", "cvv", "card[cvc]", "amp;token", strings.Repeat("x", 5000) + "token",
	} {
		for in, want := range map[string]string{
			name + "=hunter2":              name + "=REDACTED",
			"a=1&" + name + "=hunter2":     "a=1&" + name + "=REDACTED",
			name + "=hunter2&b=2":          name + "=REDACTED&b=2",
			name + "=hun;ter?2#=x&b=2":     name + "=REDACTED&b=2",
			name + "=hun%26ter2&b=2":       name + "=REDACTED&b=2",
			name + "=&b=2":                 name + "=&b=2",
			"a=1;" + name + "=hunter2&b=2": "a=1;" + name + "=REDACTED&b=2",
		} {
			if len(name) > 1000 {
				in, want = in[4000:], want[4000:] // so that it is not cut
			}
			if got := hidden(in, true); got != want {
				t.Errorf("%s\n  became %s\n  want   %s", in, got, want)
			}
		}
	}
}

func TestLeavesOtherValuesAlone(t *testing.T) {
	for _, query := range []string{
		"page=2&sort=price&dir=asc", "country_code=DE&zip_code=10115", "card=2&number=3&licensed=1&activation=now&verification=done&device=2&user=me&upward=1&postcode=1&language_code=de", "sort_key=name", "q=hello+world%21", "q=caf%C3%A9", "monkey=1&keyboard=us",
		"id=0f8fad5b-d9cb-469f-a165-70867728950e", "phone=%2B4915112345678901234567", "from=2026-07-01T00:00:00Z", "utm_campaign=SummerSale2024ForYou",
		"title=My-Page-Title-2024-Second-Edition-Of-The-Book", "filter=AddToCartButtonClick2", "next=%2Fshop%2Fitems%3Fpage%3D2", "empty=", "=", "&&&", "%", "%4",
		"a=%ZZ", "author=me&passenger=2&design=1", "url=https://cdn.example.com/assets/app.css", "ids=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", "lang=sk-SK",
		"n=12345678901234567890123456789012345678901234567890", "file=annual-report-2024-final-version-03.pdf", "hash=abc123",
	} {
		if got := hidden(query, true); got != query {
			t.Errorf("%s became %s", query, got)
		}
	}
	for _, path := range []string{
		"/", "/shop/items/42", "/v2/app/blobs/sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "/%E6%BC%A2/a%20b", "//a//b", "*",
		"/assets/index-BxKz81Qa.js", "/token", "/login/session", "/o/dGhpcyBpcyBhIG5hbWU5", "/-/@scope/pkg", "/docs/basic%20usage",
	} {
		if got := hidden(path, false); got != path {
			t.Errorf("%s became %s", path, got)
		}
	}
}

const (
	jwt    = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
	apiKey = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
)

func TestHidesURLsWithinURLs(t *testing.T) {
	for in, want := range map[string]string{
		"next=https%3A%2F%2Fa.example%2F%3Ftoken%3Dhunter2%26x%3D1&b=2":       "next=https%3A%2F%2Fa.example%2F%3Ftoken%3DREDACTED%26x%3D1&b=2",
		"next=https%253A%252F%252Fa%252F%253Fa%253D1%2526token%253Dhunter2&b": "next=https%253A%252F%252Fa%252F%253Fa%253D1%2526token%253DREDACTED&b",
		"next=https://u:hunter2@a.example/x&b=2":                              "next=https://REDACTED@a.example/x&b=2",
		"next=https%3A%2F%2Fu%3Ahunter2%40a.example%2Fx&b=2":                  "next=https%3A%2F%2FREDACTED%40a.example%2Fx&b=2",
		"next=/a?token=hunter2":                                               "next=/a?token=REDACTED",
		"next=/a/" + jwt + "/b&c=3":                                           "next=/a/REDACTED/b&c=3",
		`q={"user":"me","password":"hunter2"}&b=2`:                            `q={\"user\":\"me\",\"password\":REDACTED&b=2`,
		"q=%7B%22password%22%3A%22hunter2%22%7D&b=2":                          "q=%7B%22password%22%3AREDACTED&b=2",
		"h=Bearer+hunter2&b=2":                                                "h=Bearer+REDACTED&b=2",
		"h=Authorization%3A%20Basic%20aHVudGVyMg":                             "h=Authorization%3A%20Basic%20REDACTED",
	} {
		if got := hidden(in, true); got != want {
			t.Errorf("%s\n  became %s\n  want   %s", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"https://u:hunter2@a.example/p?x=1&token=hunter2#f": "https://REDACTED@a.example/p?x=1&token=REDACTED",
		"http://hunter2@a.example":                          "http://REDACTED@a.example",
		"//u:hunt@er2@a.example/x@y":                        "//REDACTED@a.example/x@y",
		"https://a.example/#access_token=hunter2&x=1":       "https://a.example/#access_token=REDACTED&x=1",
		"/shop;jsessionid=hunter2?page=2":                   "/shop;jsessionid=REDACTED?page=2",
		"/shop;jsessionid=hunter2/b":                        "/shop;jsessionid=REDACTED/b",
		"/reset/" + jwt + "/now":                            "/reset/REDACTED/now",
		"/bot/" + apiKey:                                    "/bot/REDACTED",
	} {
		if got := hidden(in, false); got != want {
			t.Errorf("%s\n  became %s\n  want   %s", in, got, want)
		}
	}
}

func TestHidesWhatFreeTextAnnounces(t *testing.T) {
	for in, want := range map[string]string{
		"Bearer hunter2":                        "Bearer REDACTED",
		"agent/1 BEARER hunter/2 x":             "agent/1 BEARER REDACTED",
		"basic aHVudGVyMg==":                    "basic REDACTED",
		"password: hunter2":                     "password:REDACTED",
		"curl/8 (api-key:hunter2; x)":           "curl/8 (api-key:REDACTED",
		"x Authorization: Bearer hunter2":       "x Authorization:REDACTED",
		`{"password":"hunter2"}`:                `{\"password\":REDACTED`,
		"a/1 password=hunt/er2":                 "a/1 password=REDACTED",
		"Basics 1 (rv:128.0; +http://a.test/x)": "Basics 1 (rv:128.0; +http://a.test/x)",
		"Visual Basic Editor/1: bearers":        "Visual Basic REDACTED",
	} {
		x := newExchange()
		x.Request.Fields.Set(exchange.FieldUserAgent, []byte(in))
		x.Request.Fields.Set(exchange.FieldXRequestID, []byte(in))
		line := lineOf(x)
		if !strings.Contains(line, `"user_agent":"`+want+`"`) || !strings.Contains(line, `"request_id":"`+want+`"`) {
			t.Errorf("%s: %s", in, line)
		}
		if got := string(AppendAgent(nil, []byte(in))); got != want { // spans
			t.Errorf("%s becomes %s", in, got)
		}
	}
}

func TestHidesValuesThatLookLikeSecrets(t *testing.T) {
	for _, v := range []string{
		jwt, apiKey, "AKIAIOSFODNN7EXAMPLE", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "xoxb-123456789012-abcdefghijkl", "glpat-abcdefghij0123456789",
		"d41d8cd98f00b204e9800998ecf8427e", "wJalrXUtnFEMI%2FK7MDENG%2FbPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		"Zk9xQ2h3T1d4M2p5N1ZrR2Jz", "q7Rz-T3mW_x9Lk2VbN8cYp4D",
	} {
		for in, want := range map[string]string{
			v:                     "REDACTED",
			v + "=1":              "REDACTED=1",
			"x=" + v:              "x=REDACTED",
			"a=1&x=" + v + "&b=2": "a=1&x=REDACTED&b=2",
		} {
			if got := hidden(in, true); got != want {
				t.Errorf("%s became %s", in, got)
			}
		}
	}
}

// The shape is the second net behind the names: it must catch most of what is random, not all.
func TestMostRandomKeysAreCaughtByShape(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for what, alphabet := range map[string]string{
		"base62": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
		"hex":    "0123456789abcdef",
		"base32": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
	} {
		caught := 0
		for range 1000 {
			var v []byte
			for range 32 {
				v = append(v, alphabet[r.IntN(len(alphabet))])
			}
			if looksRandom(v) {
				caught++
			}
		}
		if caught < 900 {
			t.Errorf("%d of 1000 random values in %s are caught", caught, what)
		}
	}
}

// A secret in each place of a request that can hold one: none may be found in the line.
func TestPlantedSecretsAreNotInTheLine(t *testing.T) {
	const secret = "PLANTED"
	basic := base64.StdEncoding.EncodeToString([]byte("user:" + secret))
	targets := []string{
		"/a?token=" + secret + "&b=" + jwt + "&next=https%3A%2F%2Fu%3A" + secret + "%40h%2F%3Fapi_key%3D" + secret,
		"http://u:" + secret + "@a.example/x?password=" + secret, "u:" + secret + "@a.example:443", "/a;sid=" + secret + "/" + jwt, "https:" + "//" + secret + "@h",
		"/?" + jwt, "/?a=1&b=2;session=" + secret, "/?auth[]=" + secret, "/?x=%7B%22secret%22%3A%22" + secret + "%22%7D", "/?header=Basic%20" + basic,
	}
	for _, target := range targets {
		x := newExchange()
		r := &x.Request
		r.Received.Target = []byte(target)
		r.Host, r.Received.Host = nil, []byte("u:"+secret+"@a.example")
		for _, name := range []string{"Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "Sec-WebSocket-Key", "X-Auth-Token", "Sec-WebSocket-Protocol"} {
			r.Fields.AddNamed([]byte(name), []byte(secret))
		}
		r.Fields.Set(exchange.FieldReferer, []byte("https://u:"+secret+"@a.example/p?code="+secret+"&state=1#id_token="+secret))
		r.Fields.Set(exchange.FieldUserAgent, []byte("curl/8 "+jwt))
		r.Fields.Set(exchange.FieldXRequestID, []byte(jwt))
		r.Trailers.AddNamed([]byte("X-Trailer"), []byte(secret))
		x.Response.Fields.AddNamed([]byte("Set-Cookie"), []byte("sid="+secret))
		x.Response.Fields.AddNamed([]byte("Location"), []byte("/?token="+secret))
		x.Err = &exchange.Error{Kind: exchange.KindHTTPRequestError, Op: "read", Err: &exchange.Error{Op: secret}}
		line := lineOf(x)
		decoded(t, line)
		if strings.Contains(line, secret) || strings.Contains(line, jwt[:30]) || strings.Contains(line, basic) {
			t.Errorf("%s: a secret is in %s", target, line)
		}
	}
}
