package route

import (
	"regexp"
	"regexp/syntax"
	"slices"
)

// RegexpPathMax is the longest path, in bytes, that a path_regexp is asked about. RE2 takes time linear in the path, but some 50 ns for each byte: the
// limit keeps one expression below half a millisecond. A longer path is refused by the rule that would have to ask, so that length passes no rule.
const RegexpPathMax = 8 << 10

// RegexpBytesMax is the longest path_regexp, in bytes.
const RegexpBytesMax = 1000

// matchesRegexp holds for paths above the limit: the table answers for them.
func matchesRegexp(expressions []*regexp.Regexp, path []byte) bool {
	if len(path) > RegexpPathMax {
		return true
	}
	return slices.ContainsFunc(expressions, func(re *regexp.Regexp) bool { return re.Match(path) })
}

// literalPrefix returns what every path that re takes begins with, "" if that is not known: "/api/v" for "^/api/v[12]/".
func literalPrefix(re *regexp.Regexp) string {
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return "" // cannot be: it has been compiled
	}
	tree = tree.Simplify()
	if tree.Op != syntax.OpConcat || len(tree.Sub) < 2 || tree.Sub[0].Op != syntax.OpBeginText {
		return ""
	}
	literal := tree.Sub[1]
	if literal.Op != syntax.OpLiteral || literal.Flags&syntax.FoldCase != 0 {
		return ""
	}
	return string(literal.Rune)
}
