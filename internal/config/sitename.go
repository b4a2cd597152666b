package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// A SiteName is what the key of a site says: which hosts it serves, on which port, with TLS or without.
type SiteName struct {
	Scheme string // "http" or "https"
	Host   string // lower case: a name, an IP address without brackets, "*.example.com", or "" for any host
	Port   uint16
}

// ParseSiteName reads the key of a site. "shop.example.com" is https on 443, "http://name" plain HTTP on 80, "name:8443" https on that port, "http://:8080" and
// "https://:8443" any host on that port. "*.example.com" takes all names below example.com. An IPv6 address stands in brackets.
func ParseSiteName(s string) (SiteName, error) {
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		scheme, rest = "https", s
	}
	for _, almost := range []string{"http:", "https:"} {
		if host, ok := strings.CutPrefix(s, almost); ok && !found && strings.Trim(host, "/") != "" {
			return SiteName{}, nameFault("two slashes belong after the scheme", almost+"//"+strings.TrimLeft(host, "/"))
		}
	}
	n := SiteName{Scheme: strings.ToLower(scheme)}
	switch n.Scheme {
	case "http":
		n.Port = 80
	case "https":
		n.Port = 443
	case "tcp", "tls", "udp", "ftp", "sftp":
		return SiteName{}, nameFault(fmt.Sprintf("%s:// sites are not built yet", n.Scheme), "")
	default:
		return SiteName{}, nameFault(fmt.Sprintf("scheme %q is not known; a site is http:// or https://", scheme), nearScheme(scheme, rest))
	}
	if err := n.parseRest(s, rest, found); err != nil {
		return SiteName{}, err
	}
	return n, nil
}

// parseRest reads what follows the scheme of s.
func (n *SiteName) parseRest(s, rest string, hasScheme bool) error {
	switch {
	case strings.Contains(rest, ","), strings.Contains(rest, " http"):
		return nameFault("a site has one name; give the others sites of their own", "")
	case strings.Contains(rest, " "):
		return nameFault("a site's name has no spaces", "")
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		if rest[i:] == "/" {
			return nameFault("a site's name ends with its host or port", strings.TrimSuffix(s, "/"))
		}
		return nameFault("a site's name has no path; match a path with a route", s[:len(s)-len(rest)+i])
	}
	host, port, err := splitPort(rest)
	if err != nil {
		return withScheme(err, s[:len(s)-len(rest)])
	}
	if port != "" {
		if n.Port, err = parsePort(port); err != nil {
			return err
		}
	}
	if err := n.parseHost(host); err != nil {
		return err
	}
	switch {
	case n.Host == "" && port == "":
		return nameFault("a site needs a host or a port", fmt.Sprintf("%s://:%d", n.Scheme, n.Port))
	case n.Host == "" && !hasScheme:
		return nameFault("a port alone does not say whether there is TLS: write http:// or https:// before it", "http://"+s)
	case n.Port == 80 && !hasScheme:
		return nameFault("port 80 is plain HTTP", "http://"+host)
	}
	return nil
}

func (n *SiteName) parseHost(host string) error {
	n.Host = lowerHost(host)
	if host == "" {
		return nil
	}
	if host == "*" {
		return nameFault("any host is written without a host, and with a port", fmt.Sprintf("%s://:%d", n.Scheme, n.Port))
	}
	if addr, err := netip.ParseAddr(n.Host); err == nil && addr.Is6() {
		return nil
	}
	return checkHost(strings.TrimPrefix(n.Host, "*."))
}

// nearScheme returns a name with the scheme that was likely meant, "" if that is not known. WebSockets come over HTTP.
func nearScheme(scheme, rest string) string {
	known, ok := map[string]string{"ws": "http", "wss": "https"}[scheme]
	if !ok {
		known = nearest(scheme, []string{"http", "https", "h2c"})
	}
	if known == "" {
		return ""
	}
	return known + "://" + rest
}

// TLS reports whether the site's listener has TLS.
func (n SiteName) TLS() bool { return n.Scheme == "https" }

// Redirects reports whether plain HTTP on port 80 is redirected to the site: only where it is on 443.
func (n SiteName) Redirects() bool { return n.Scheme == "https" && n.Port == 443 }

// Local reports whether the name is one that no public authority can vouch for: localhost, an IP address, what ends in .localhost or .internal. Its certificate
// comes from Sluice's own authority.
func (n SiteName) Local() bool {
	if _, err := netip.ParseAddr(n.Host); err == nil {
		return true
	}
	return n.Host == "localhost" || strings.HasSuffix(n.Host, ".localhost") || strings.HasSuffix(n.Host, ".internal")
}

// String returns the name in one form for each name, such as "http://example.com:80". It can serve as a key.
func (n SiteName) String() string {
	host := n.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s://%s:%d", n.Scheme, host, n.Port)
}
