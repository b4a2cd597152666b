// Package repo holds the rules of the house as tests: who imports whom, sizes, doc comments, banned calls, words, what code on the loop must not do,
// and what the documents promise.
//
// A rule is a function over the tree of files (rules_test.go lists them all). It reports breaches, each with its place. A breach is accepted where a comment
// says "//style:allow RULE reason": in the doc comment of a declaration for all of it, above the package clause for the file, else on the line
// itself or the one above it. A marker that accepts nothing is a breach, too.
//
// Every rule is proven on testdata/RULE.txtar, where BREACH marks the lines that it must find, and no others: a check that cannot fail is a defect.
package repo
