package config_test

import (
	"strings"
	"testing"
	"time"

	"sluice/internal/config"
)

func TestReadsTimes(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"250ms": 250 * time.Millisecond, "5s": 5 * time.Second, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "0s": 0, "1d2h3m4s5ms": 26*time.Hour + 3*time.Minute + 4005*time.Millisecond,
		"90m": 90 * time.Minute, "3650d": 3650 * 24 * time.Hour,
	} {
		got, err := config.ParseDuration(text)
		if err != nil || time.Duration(got) != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
		again, err := config.ParseDuration(got.String())
		if err != nil || again != got {
			t.Errorf("%s: written as %s", text, got)
		}
	}
	for _, text := range []string{"", "5", "s", "5 s", " 5s", "5s ", "5S", "5m1h", "5s5s", "1.5s", "-5s", "+5s", "5us", "3651d", "3650d1ms", "99999999999999999999s", "5sec", "0x5s", "٣s"} {
		if got, err := config.ParseDuration(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestReadsSizes(t *testing.T) {
	for text, want := range map[string]config.Size{
		"0": 0, "512": 512, "512B": 512, "64KiB": 64 << 10, "2MB": 2e6, "1GiB": 1 << 30, "3TB": 3e12, "1TiB": 1 << 40, "5KB": 5000, "7MiB": 7 << 20, "2GB": 2e9,
	} {
		got, err := config.ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
		if again, err := config.ParseSize(got.String()); err != nil || again != got {
			t.Errorf("%s: written as %s", text, got)
		}
	}
	for _, text := range []string{"", "KiB", "64 KiB", "64kib", "64k", "64K", "1.5MB", "-1", "+1", "99999999TiB", "99999999999999999999", "5PB"} {
		if got, err := config.ParseSize(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestReadsShares(t *testing.T) {
	for text, want := range map[string]config.Share{
		"0%": 0, "1%": 10_000, "100%": config.ShareMax, "0.05%": 500, "12.3456%": 123_456, "100.0%": config.ShareMax,
	} {
		got, err := config.ParseShare(text)
		if err != nil || got != want {
			t.Errorf("%s is %d, %v", text, got, err)
		}
		if again, err := config.ParseShare(got.String()); err != nil || again != got {
			t.Errorf("%s is written as %s", text, got)
		}
	}
	for text, want := range map[string]string{
		"": "is written", "%": "is written", "1": "percent sign", "1.%": "is written", ".5%": "is written", "1.00001%": "is written", "-1%": "is written",
		"100.0001%": "at most", "1e3%": "is written", "99999999999999999999%": "at most", "1 %": "is written",
	} {
		if got, err := config.ParseShare(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

func TestReadsRates(t *testing.T) {
	for text, want := range map[string]config.Rate{"20/s": {20, time.Second}, "100/m": {100, time.Minute}, "5/h": {5, time.Hour}, "1/d": {1, 24 * time.Hour}} {
		got, err := config.ParseRate(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "20", "/s", "20/", "20/ms", "20/sec", "0/s", "-1/s", "20 / s", "1.5/s", "9999999999999/s", "20/s/s"} {
		if got, err := config.ParseRate(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestReadsAddresses(t *testing.T) {
	for text, want := range map[string]config.Address{
		"10.0.0.1:80":            {Scheme: "http", Host: "10.0.0.1", Port: 80},
		"http://10.0.0.1":        {Scheme: "http", Host: "10.0.0.1", Port: 80},
		"https://Origin.Example": {Scheme: "https", Host: "origin.example", Port: 443},
		"[::1]:8080":             {Scheme: "http", Host: "::1", Port: 8080},
		"https://[2001:DB8::1]":  {Scheme: "https", Host: "2001:db8::1", Port: 443},
		"h2c://10.0.0.1:50051":   {Scheme: "h2c", Host: "10.0.0.1", Port: 50051},
		"unix:/run/app.sock":     {Scheme: "http", Path: "/run/app.sock"},
		"a_b.example.:9":         {Scheme: "http", Host: "a_b.example", Port: 9},
	} {
		got, err := config.ParseAddress(text)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
		if again, err := config.ParseAddress(got.String()); err != nil || again != got {
			t.Errorf("%s: written as %s", text, got)
		}
	}
	for _, text := range []string{"", ":80", "http://", "unix:", "h2c://10.0.0.1", "10.0.0.1:080", "10.0.0.1:+80", "10.0.0.1:0", "[10.0.0.1]:80", "[fe80::1%eth0]:80", "a b:80", "http://a:80?x", "HTTP://a:80", "1.2.3:80", "0x7f.1:80"} {
		if got, err := config.ParseAddress(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}

func TestReadsNamesOfSites(t *testing.T) {
	for text, want := range map[string]config.SiteName{
		"shop.example.com":    {Scheme: "https", Host: "shop.example.com", Port: 443},
		"http://Shop.Example": {Scheme: "http", Host: "shop.example", Port: 80},
		"name:8443":           {Scheme: "https", Host: "name", Port: 8443},
		"http://:8080":        {Scheme: "http", Port: 8080},
		"https://:8443":       {Scheme: "https", Port: 8443},
		"*.example.com":       {Scheme: "https", Host: "*.example.com", Port: 443},
		"10.0.0.1":            {Scheme: "https", Host: "10.0.0.1", Port: 443},
		"http://[::1]:8080":   {Scheme: "http", Host: "::1", Port: 8080},
		"HTTP://a.example.":   {Scheme: "http", Host: "a.example", Port: 80},
	} {
		got, err := config.ParseSiteName(text)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v", text, got, err)
		}
		if again, err := config.ParseSiteName(got.String()); err != nil || again != got {
			t.Errorf("%s: written as %s", text, got)
		}
	}
	for text, want := range map[string][3]bool{ // TLS, Redirects, Local
		"a.example": {true, true, false}, "a.example:8443": {true, false, false}, "http://a.example": {}, "localhost": {true, true, true},
		"a.localhost": {true, true, true}, "a.internal": {true, true, true}, "10.0.0.1": {true, true, true}, "[::1]": {true, true, true}, "internal.example": {true, true, false},
	} {
		n, err := config.ParseSiteName(text)
		if got := [3]bool{n.TLS(), n.Redirects(), n.TLS() && n.Local()}; err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
}
