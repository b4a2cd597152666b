package rewrite

import (
	"sluice/internal/exchange"
	"sluice/internal/template"
	"sluice/internal/wire/query"
)

// query drops and sets parameters. Names are compared as an origin reads them; what stays is written as it came.
func (r *rewriter) query(x *exchange.Exchange) {
	q := &x.Request
	if len(r.SetQuery) == 0 && !r.drops(q.Query) {
		return
	}
	b := x.Scratch.Tail(len(q.Query) + queryRoom)
	for rest := q.Query; len(rest) > 0; {
		var p query.Param
		if p, rest = query.Next(rest); !r.dropsParam(p.Name) {
			b = append(appendSeparator(b), p.Raw...)
		}
	}
	for i := range r.SetQuery {
		p := &r.SetQuery[i]
		b = append(query.AppendEncoded(appendSeparator(b), p.Name), '=')
		b = p.Value.Append(b, x, template.Captures{})
	}
	q.Query, q.HasQuery = x.Scratch.Commit(b), len(b) > 0
}

// queryRoom is the room for parameters that are set, in bytes; it grows if that is too small.
const queryRoom = 128

func appendSeparator(b []byte) []byte {
	if len(b) > 0 {
		b = append(b, '&')
	}
	return b
}

// drops reports whether any parameter of q is to go.
func (r *rewriter) drops(q []byte) bool {
	for len(r.RemoveQuery) > 0 && len(q) > 0 {
		var p query.Param
		if p, q = query.Next(q); r.dropsParam(p.Name) {
			return true
		}
	}
	return false
}

// dropsParam reports whether a parameter is removed or gets another value.
func (r *rewriter) dropsParam(name []byte) bool {
	for _, removed := range r.RemoveQuery {
		if query.Is(name, removed) {
			return true
		}
	}
	for i := range r.SetQuery {
		if query.Is(name, r.SetQuery[i].Name) {
			return true
		}
	}
	return false
}
