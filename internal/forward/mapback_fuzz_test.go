package forward

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// plainLocation maps a Location with net/url: for the hop of theHop, a client at https://shop.example.com and no path mapping.
func plainLocation(value string) (mapped string, ok bool) {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
		return value, err == nil
	}
	port := u.Port()
	if n, err := strconv.Atoi(port); err == nil {
		port = strconv.Itoa(n)
	}
	switch strings.TrimSuffix(strings.ToLower(u.Hostname()), ".") {
	case "app.internal", "app2.internal", "10.0.0.11", "10.0.0.12", "2001:db8::12":
	case "shop.example.com":
		http80 := u.Scheme != "https" && (port == "" || port == "80")
		https443 := u.Scheme != "http" && (port == "" || port == "443")
		if !http80 && !https443 && port != "8080" {
			return value, true
		}
	default:
		return value, true
	}
	_, rest, _ := strings.Cut(value, "//")
	rest = rest[strings.IndexAny(rest+"/", "/?#"):]
	if u.Scheme == "" {
		return "//shop.example.com" + rest, true
	}
	return "https://shop.example.com" + rest, true
}

func FuzzLocation(f *testing.F) {
	for _, s := range []string{
		"http://10.0.0.11:8080/x?y#z", "//app.internal", "https://shop.example.com:443/", "http://shop.example.com:08080", "http://u:p@[2001:db8::12]:1/", "/x", "x", "ftp://x/",
		"http://APP2.internal.:/", `http://app.internal\x`, "http://shop.example.com:81", "HTTPS://10.0.0.12?x", "http://10.0.0.11@x/", "http:/10.0.0.11",
	} {
		f.Add(s)
	}
	printable := regexp.MustCompile(`^[\x21-\x5b\x5d-\x7e]*$`)
	f.Fuzz(func(t *testing.T, value string) {
		got := way{client: "https://shop.example.com"}.back("Location", value)
		for _, base := range []way{{strip: "/app"}, {add: "/v1"}, {strip: "/app", add: "/v1"}, {client: "http://"}} {
			m := base.back("Location", value)
			if strings.HasPrefix(m, "//") && !strings.HasPrefix(value, "//") || strings.HasPrefix(m, `/\`) && !strings.HasPrefix(value, `/\`) {
				t.Fatalf("%+v makes %q of %q: another host", base, m, value)
			}
		}
		if !printable.MatchString(value) || strings.Contains(value, "%") || strings.Count(value, "@") > 1 {
			return
		}
		if want, ok := plainLocation(value); ok && got != want {
			t.Fatalf("%q became %q, want %q", value, got, want)
		}
	})
}

// plainCookie maps what net/http reads of a Set-Cookie.
func plainCookie(c *http.Cookie) {
	switch domain := strings.ToLower(strings.TrimPrefix(c.Domain, ".")); domain {
	case "app.internal", "app2.internal", "internal", "10.0.0.11", "10.0.0.12", "app2.internal.", "app.internal.":
		c.Domain = "shop.example.com"
	}
	path := c.Path
	switch {
	case path == "/" || path == "/v1" || path == "/v1/":
		c.Path = "/app"
	case strings.HasPrefix(path, "/v1/app/") || path == "/v1/app":
		c.Path = path[len("/v1"):]
	case strings.HasPrefix(path, "/v1/"):
		c.Path = "/app" + path[len("/v1"):]
	}
}

func FuzzSetCookie(f *testing.F) {
	for _, s := range []string{
		"a=b; Domain=app.internal; Path=/v1/x; Secure", "a=b; path=/; domain=.internal", `a="b;c"; Domain=app.internal`, "a=b;Path=/v1/app;Path=/v2", "a=b;;; Domain", "a=b; Domain=10.0.0.12; Max-Age=5; HttpOnly",
	} {
		f.Add(s)
	}
	w := way{strip: "/app", add: "/v1"}
	f.Fuzz(func(t *testing.T, value string) {
		want, err := http.ParseSetCookie(value)
		mapped := w.back("Set-Cookie", value)
		if strings.Count(mapped, ";") != strings.Count(value, ";") {
			t.Fatalf("%q became %q", value, mapped)
		}
		if err != nil || strings.ContainsAny(value, "\"\r\n\x00\\") {
			return
		}
		got, err := http.ParseSetCookie(mapped)
		if err != nil {
			t.Fatalf("%q became %q: %v", value, mapped, err)
		}
		plainCookie(want)
		want.Raw, got.Raw, want.Unparsed, got.Unparsed = "", "", nil, nil
		if got.String() != want.String() {
			t.Fatalf("%q became %q, want %q", value, got, want)
		}
	})
}

func TestBackslashesAreSlashesToBrowsers(t *testing.T) {
	for value, want := range map[string]string{
		`/\app.internal/x`: "//shop.example.com/x", `\\app.internal`: "//shop.example.com", `http:\\app.internal/x`: "https://shop.example.com/x",
		`https:/\app.internal?x`: "https://shop.example.com?x", `/\other.example/x`: `/\other.example/x`,
	} {
		if got := (way{client: "https://shop.example.com"}).back("Location", value); got != want {
			t.Errorf("%s became %s, want %s", value, got, want)
		}
	}
}
