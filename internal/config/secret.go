package config

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// MarkSecret makes secrets of all that is written in n, also where something else is wanted: it is not written again, and Mask and source lines hide it. What
// ${…} alone makes is still shown as it is written. A node that is marked already does not change.
func (d *Decoder) MarkSecret(n *Node) {
	switch {
	case n.Kind == Scalar && (n.IsOff() || n.Value == hidden): // no secret is there
	case n.Kind == Scalar:
		d.conceal(n)
		d.keepSecret(n.Value)
		d.keepSecret(strings.NewReplacer("{{", "{", "}}", "}").Replace(n.Value)) // as a template would have it
		for _, text := range template.Split(scheme.ReplaceAllString(n.Value, ""), -1) {
			if text = strings.TrimSpace(text); len(text) >= secretLeast {
				d.keepSecret(text)
			}
		}
	case n.Kind == List:
		for _, item := range n.Items {
			d.MarkSecret(item)
		}
	case n.Kind == Map:
		for _, e := range n.Entries {
			d.MarkSecret(e.Value)
		}
	}
}

// conceal marks a Scalar. A part that stands in the file itself, beside ${…}, hides the whole: without that part it would be another value.
func (d *Decoder) conceal(n *Node) {
	if !n.Secret {
		n.Secret = true
	}
	if n.Written != "" && holdsLiteral(n.Written) {
		d.keepSecret(n.Written) // which source lines have
		n.Written = ""
	}
}

var (
	// scheme finds what stands before credentials and says of which kind they are (RFC 9110, section 11.4).
	scheme = regexp.MustCompile(`(?i)^(api-?key|basic|bearer|digest|geniekey|key|negotiate|splunk|token)\s+`)
	// variable finds what is filled in from outside.
	variable = regexp.MustCompile(`\$\{[^}]*\}`)
	// template finds the parts of a template that come from the exchange, and braces that stand for themselves.
	template = regexp.MustCompile(`\{\{|\}\}|\{[^{}]*\}`)
	// secretName finds names of fields and parameters whose values are keys and passwords.
	secretName = regexp.MustCompile(`(?i)authorization$|(api|access|private|license|subscription)[-_]?key|token|secret|passw|passphrase|credential|signature|` +
		`^key$|^(x-)?(auth|jwt|pass|psk|psw|pw|pwd|session|session[-_]?id|sid|sig)$`)
	// cookieName finds the fields that carry sessions.
	cookieName = regexp.MustCompile(`(?i)^(set-)?cookie$`)
	// userInfo finds user and password in a URL (RFC 3986, section 3.2.1).
	userInfo = regexp.MustCompile(`//([^/?#\s]+)@`)
	// parameter finds the parameters in the query or the fragment of a URL.
	parameter = regexp.MustCompile(`[?&#]([\w.%\[\]-]+)=([^&#\s"']+)`)
)

// IsSecretName reports whether the value of a field or parameter with this name is a key, a password or a session.
func IsSecretName(name string) bool {
	return secretName.MatchString(name) || cookieName.MatchString(name)
}

// holdsLiteral reports whether a text says anything itself, besides ${…} and the name of an authentication scheme.
func holdsLiteral(text string) bool {
	text = strings.ReplaceAll(text, "$${", "x")
	text = scheme.ReplaceAllString(variable.ReplaceAllString(text, ""), "")
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

// asWritten is the text of a Scalar as it is in the file.
func (n *Node) asWritten() string {
	if n.Written != "" {
		return n.Written
	}
	return n.Value
}

// findSecrets marks what is a secret by its name or its form, in all of a tree: a part that no site uses is never decoded, but written all the same. key is
// that of n.
func (d *Decoder) findSecrets(key string, n *Node) {
	switch n.Kind {
	case Scalar:
		d.markURL(n)
	case List:
		for _, item := range n.Items {
			d.findSecrets(key, item)
		}
	case Map:
		named := slices.Contains([]string{"add", "header", "headers", "query", "set"}, key) // maps of fields and parameters
		for _, e := range n.Entries {
			// What a match wants of a cookie is a choice among pages more often than a session.
			if named && (secretName.MatchString(e.Key.Value) || key != "header" && cookieName.MatchString(e.Key.Value)) {
				d.markValues(e)
			}
			d.findSecrets(e.Key.Value, e.Value)
		}
	}
}

// markValues marks the values of a field or parameter that are not made of the exchange alone.
func (d *Decoder) markValues(e Entry) {
	for _, n := range e.Value.all() {
		text := n.asWritten()
		if strings.EqualFold(e.Key.Value, "set-cookie") {
			_, text, _ = strings.Cut(text, "=")
			text, _, _ = strings.Cut(text, ";")
		}
		if n.Kind == Scalar && (n.Quoted || n.Value != "true" && n.Value != "false") && isLiteral(text) {
			d.MarkSecret(n)
		}
	}
}

// isLiteral is holdsLiteral for a template: what comes from the exchange is not of the file.
func isLiteral(text string) bool {
	return holdsLiteral(template.ReplaceAllString(variable.ReplaceAllString(text, ""), ""))
}

// markURL marks a text with a URL that has a password in it. Its parts are remembered one by one: they may be sent without what stands around them.
func (d *Decoder) markURL(n *Node) {
	if len(urlSecrets(n.asWritten())) == 0 {
		return
	}
	d.conceal(n)
	for _, text := range urlSecrets(n.Value) {
		d.keepSecret(text)
	}
}

// urlSecrets returns what user information and parameters of URLs in a text say themselves, with the name beside it, by which even a short one is found.
func urlSecrets(text string) (all []string) {
	if !strings.ContainsAny(text, "@=") {
		return nil
	}
	for _, found := range userInfo.FindAllStringSubmatch(text, -1) {
		_, password, ok := strings.Cut(found[1], ":")
		if !ok {
			password = found[1]
		}
		if isLiteral(password) {
			all = append(all, found[1], password)
		}
	}
	for _, found := range parameter.FindAllStringSubmatch(text, -1) {
		if !secretName.MatchString(found[1]) || !isLiteral(found[2]) {
			continue
		}
		all = append(all, found[0][1:])
		if len(found[2]) >= secretLeast {
			all = append(all, found[2])
		}
	}
	return all
}
