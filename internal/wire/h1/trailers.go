package h1

import "sluice/internal/exchange"

// trailerSection takes bytes of the trailer section, up to its end, and returns how many (RFC 9112, section 7.1.2).
func (c *Chunks) trailerSection(b []byte) (int, *SyntaxError) {
	if len(c.section) == 0 && len(b) > 1 && b[0] == '\r' && b[1] == '\n' {
		c.state = chunkDone // no trailers: the usual case copies nothing
		return 2, nil
	}
	before := len(c.section)
	room := c.lim.TrailerBytes - before
	c.section = append(c.section, b[:min(len(b), max(room, 0))]...)
	end := 2
	if string(c.section[:min(len(c.section), end)]) != "\r\n" {
		end = sectionEnd(c.section, max(0, before-2))
	}
	if end == 0 {
		if len(b) > room {
			return 0, errTrailerBytes
		}
		return len(b), nil
	}
	c.section = c.section[:end]
	c.state = chunkDone
	return end - before, c.parseTrailers()
}

// parseTrailers reads the section into the fields. What may not be a trailer is left out, and is an error if it could be about framing or routing of the
// message (RFC 9110, section 6.5.1).
func (c *Chunks) parseTrailers() *SyntaxError {
	end, err := parseFields(c.section, 0, c.lim, c.trailers, c.repair)
	if err != nil {
		return err
	}
	if end != len(c.section) {
		return errBareCR // A LF without CR, or a fold at the end, would have been an error above.
	}
	for _, l := range c.trailers.Lines() {
		switch l.ID {
		case exchange.FieldContentLength, exchange.FieldTransferEncoding, exchange.FieldHost:
			return errTrailer
		}
	}
	c.trailers.DelFunc(func(l *exchange.Field) bool { return noTrailer[l.ID] })
	return nil
}

// noTrailer has the known fields that a recipient needs before the content, and that therefore are no trailers: framing, routing, authentication, modifiers of
// the request, control of the response, format of the content (RFC 9110, section 6.5.1).
var noTrailer = [256]bool{
	exchange.FieldAccept:                  true,
	exchange.FieldAcceptCharset:           true,
	exchange.FieldAcceptEncoding:          true,
	exchange.FieldAcceptLanguage:          true,
	exchange.FieldAge:                     true,
	exchange.FieldAuthorization:           true,
	exchange.FieldCacheControl:            true,
	exchange.FieldConnection:              true,
	exchange.FieldContentEncoding:         true,
	exchange.FieldContentLength:           true,
	exchange.FieldContentRange:            true,
	exchange.FieldContentType:             true,
	exchange.FieldCookie:                  true,
	exchange.FieldDate:                    true,
	exchange.FieldExpect:                  true,
	exchange.FieldExpires:                 true,
	exchange.FieldForwarded:               true,
	exchange.FieldHost:                    true,
	exchange.FieldHTTP2Settings:           true,
	exchange.FieldIfMatch:                 true,
	exchange.FieldIfModifiedSince:         true,
	exchange.FieldIfNoneMatch:             true,
	exchange.FieldIfRange:                 true,
	exchange.FieldIfUnmodifiedSince:       true,
	exchange.FieldKeepAlive:               true,
	exchange.FieldLocation:                true,
	exchange.FieldMaxForwards:             true,
	exchange.FieldOrigin:                  true,
	exchange.FieldPragma:                  true,
	exchange.FieldProxy:                   true,
	exchange.FieldProxyAuthenticate:       true,
	exchange.FieldProxyAuthenticationInfo: true,
	exchange.FieldProxyAuthorization:      true,
	exchange.FieldProxyConnection:         true,
	exchange.FieldRange:                   true,
	exchange.FieldRetryAfter:              true,
	exchange.FieldSetCookie:               true,
	exchange.FieldTE:                      true,
	exchange.FieldTrailer:                 true,
	exchange.FieldTransferEncoding:        true,
	exchange.FieldUpgrade:                 true,
	exchange.FieldVary:                    true,
	exchange.FieldVia:                     true,
	exchange.FieldWWWAuthenticate:         true,
	exchange.FieldXAccelBuffering:         true,
	exchange.FieldXForwardedFor:           true,
	exchange.FieldXForwardedHost:          true,
	exchange.FieldXForwardedPort:          true,
	exchange.FieldXForwardedPrefix:        true,
	exchange.FieldXForwardedProto:         true,
	exchange.FieldXForwardedServer:        true,
	exchange.FieldXRealIP:                 true,
}
