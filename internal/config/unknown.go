package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// planned lists the settings that belong to the language and are not built yet, by the struct that they are in: whoever writes one is told so, and not that it is unknown. A key
// that a struct has is not looked up here.
func planned(owner string) []string {
	switch owner {
	case "a site", "a route", "defaults":
		return []string{"tls", "access", "basic_auth", "rate_limit", "cache", "compress", "waf", "buffer", "error_pages", "log"}
	case "a pool":
		return []string{"hash_on", "sticky", "health", "eject", "queue", "tls", "proxy_protocol"}
	}
	return nil
}

// plannedWords lists the words of a setting that belong to the language and are not built yet.
func plannedWords(of Words) []string {
	switch of.(type) {
	case *Balance:
		return []string{"round_robin", "least_conn", "least_traffic", "least_time", "p2c", "random", "hash", "first"}
	case *LogFormat:
		return []string{"json", "common", "combined"}
	}
	return nil
}

// unknownKey reports a key that the struct v does not have. The key that it was likely meant for is noted in guessed.
func (d *Decoder) unknownKey(e Entry, v reflect.Value, known []string, guessed map[string]bool) {
	key, owner := e.Key.Value, d.structName(v)
	later := slices.DeleteFunc(planned(owner), func(later string) bool { return slices.Contains(known, later) })
	if slices.Contains(later, key) {
		hint := "leave it out"
		if key == "access" || key == "basic_auth" {
			hint = "match: { client_ip: … } can keep others out"
		}
		d.Hintf(e.Key, "not-built", hint, "%q is not built yet: this version of Sluice does not have it", key)
		return
	}
	hint := ""
	if hinter, ok := v.Addr().Interface().(Hinter); ok {
		hint = hinter.ConfigHint(key)
	}
	if hint == "" {
		best := meant(key, append(slices.Clone(known), later...))
		guessed[best] = true
		hint = d.keyHint(key, best, known, later)
	}
	if strings.HasPrefix(hint, `"match" has it`) {
		guessed["match"] = true
	}
	if strings.HasPrefix(hint, "sites are") {
		guessed["sites"] = true
	}
	d.Hintf(e.Key, "unknown-key", hint, "%q is not a setting of %s", key, owner)
}

// keyHint says what key may have been meant for, with best as the nearest key of the same struct.
func (d *Decoder) keyHint(key, best string, known, later []string) string {
	if hint := separatorHint(key, known); hint != "" {
		return hint
	}
	switch {
	case slices.Contains(later, best):
		return fmt.Sprintf("did you mean %q? This version of Sluice does not have it yet", best)
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case strings.HasPrefix(key, "//"), strings.HasPrefix(key, "/*"):
		return "a comment begins with #"
	}
	if hint := d.elsewhere(key, known); hint != "" {
		return hint
	}
	return DidYouMean(key, known)
}

// elsewhere says which part of a configuration has key, "" if none has.
func (d *Decoder) elsewhere(key string, known []string) string {
	if slices.Contains(known, "sites") && (strings.Contains(key, "://") || strings.Contains(key, ".")) {
		return `sites are listed under "sites"`
	}
	if slices.Contains(known, "match") && slices.Contains(Keys(Condition{}), key) {
		return fmt.Sprintf(`"match" has it: match: { %s: … }`, key)
	}
	if slices.Contains(d.Features, key) {
		return "it is a setting of a site, a route or defaults"
	}
	for _, part := range []struct {
		name string
		of   any
	}{
		{"it is a setting of a site", Site{}}, {"it is a setting of a route", Route{}}, {"it is a setting at the top of the file", Config{}},
		{"it is a setting of a pool", Pool{}}, {"it is a setting of limits at the top of the file", Limits{}},
	} {
		if slices.Contains(Keys(part.of), key) {
			return part.name
		}
	}
	return ""
}

// meant returns the known key that key was likely meant for: the nearest one, or one that has another name in other programs.
func meant(key string, known []string) string {
	if best := nearest(key, known); best != "" {
		return best
	}
	for _, name := range otherNames()[fold(key)] {
		if slices.Contains(known, name) {
			return name
		}
	}
	return ""
}

// otherNames gives names of settings in other programs, folded, the settings here that they may stand for.
func otherNames() map[string][]string {
	return map[string][]string{
		"proxypass": {"to"}, "reverseproxy": {"to"}, "upstream": {"to"}, "backend": {"to"}, "target": {"to"}, "proxyto": {"to"}, "forwardto": {"to"}, "service": {"to"},
		"defaultbackend": {"to"}, "usebackend": {"to"}, "proxy": {"to"},
		"return": {"respond"}, "response": {"respond"}, "redir": {"redirect"},
		"location": {"routes"}, "locations": {"routes"}, "handle": {"routes"}, "rules": {"routes"}, "paths": {"routes"},
		"upstreams": {"pools"}, "backends": {"pools", "servers"}, "clusters": {"pools"}, "services": {"pools"}, "server": {"servers", "sites"},
		"vhosts": {"sites"}, "virtualhosts": {"sites"}, "hosts": {"sites", "servers"}, "domains": {"sites"}, "frontends": {"sites"},
		"endpoints": {"servers"}, "nodes": {"servers"}, "targets": {"servers"}, "url": {"address"}, "host": {"address"}, "addr": {"address"},
		"algorithm": {"balance"}, "lbpolicy": {"balance"}, "policy": {"balance"}, "loadbalancing": {"balance"}, "retries": {"retry"},
		"entrypoints": {"listeners"}, "listen": {"listeners"}, "address": {"listen"}, "bind": {"addresses", "listen", "listeners"}, "socket": {"listen"},
		"delete": {"remove"}, "del": {"remove"}, "unset": {"remove"}, "append": {"add"}, "replace": {"set"}, "regexp": {"path_regexp"}, "regex": {"path_regexp"},
		"remoteip": {"client_ip"}, "sourceip": {"client_ip"}, "ip": {"client_ip"}, "src": {"client_ip"}, "uri": {"path"}, "prefix": {"path"}, "urlpath": {"path"},
		"maxbodysize": {"request_body"}, "clientmaxbodysize": {"request_body"}, "bodysize": {"request_body"}, "logging": {"log"}, "ssl": {"tls"}, "auth": {"basic_auth"},
		"gzip": {"compress"}, "healthcheck": {"health"}, "outlier": {"eject"}, "ratelimiting": {"rate_limit"}, "read": {"response"}, "count": {"attempts"},
		"code": {"status"}, "content": {"body"},
	}
}
