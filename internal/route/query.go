package route

import (
	"sluice/internal/exchange"
	"sluice/internal/wire/query"
)

// holds looks at each parameter with the name, since an origin may take the first or the last of several.
func (p *ParamMatch) holds(x *exchange.Exchange) bool {
	for rest := x.Request.Query; len(rest) > 0; {
		var param query.Param
		param, rest = query.Next(rest)
		if query.Is(param.Name, p.Name) && anyMatches(p.Values, decoded(param.Value, x)) {
			return true
		}
	}
	return false
}

// decoded returns what value means, in its own memory or in x's scratch until the next call.
func decoded(value []byte, x *exchange.Exchange) []byte {
	if query.IsPlain(value) {
		return value
	}
	return query.AppendDecoded(x.Scratch.Tail(len(value)), value)
}
