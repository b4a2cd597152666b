package exchange

// Name is a well-known field name as a small integer, so that code compares integers and not text.
type Name uint8

// The known field names: those that Sluice acts on and those that most messages carry. FieldOther is any other name.
const (
	FieldOther Name = iota
	FieldAccept
	FieldAcceptCharset
	FieldAcceptEncoding
	FieldAcceptLanguage
	FieldAcceptRanges
	FieldAccessControlAllowOrigin
	FieldAge
	FieldAllow
	FieldAltSvc
	FieldAuthorization
	FieldCacheControl
	FieldConnection
	FieldContentDisposition
	FieldContentEncoding
	FieldContentLanguage
	FieldContentLength
	FieldContentLocation
	FieldContentRange
	FieldContentSecurityPolicy
	FieldContentType
	FieldCookie
	FieldDate
	FieldDNT
	FieldETag
	FieldExpect
	FieldExpires
	FieldForwarded
	FieldHost
	FieldHTTP2Settings
	FieldIfMatch
	FieldIfModifiedSince
	FieldIfNoneMatch
	FieldIfRange
	FieldIfUnmodifiedSince
	FieldKeepAlive
	FieldLastModified
	FieldLink
	FieldLocation
	FieldMaxForwards
	FieldOrigin
	FieldPragma
	FieldPriority
	FieldProxy
	FieldProxyAuthenticate
	FieldProxyAuthenticationInfo
	FieldProxyAuthorization
	FieldProxyConnection
	FieldRange
	FieldReferer
	FieldRefresh
	FieldRetryAfter
	FieldSecFetchDest
	FieldSecFetchMode
	FieldSecFetchSite
	FieldSecWebSocketAccept
	FieldSecWebSocketExtensions
	FieldSecWebSocketKey
	FieldSecWebSocketProtocol
	FieldSecWebSocketVersion
	FieldServer
	FieldServerTiming
	FieldSetCookie
	FieldStrictTransportSecurity
	FieldTE
	FieldTraceparent
	FieldTracestate
	FieldTrailer
	FieldTransferEncoding
	FieldUpgrade
	FieldUpgradeInsecureRequests
	FieldUserAgent
	FieldVary
	FieldVia
	FieldWWWAuthenticate
	FieldXAccelBuffering
	FieldXContentTypeOptions
	FieldXForwardedFor
	FieldXForwardedHost
	FieldXForwardedPort
	FieldXForwardedPrefix
	FieldXForwardedProto
	FieldXForwardedServer
	FieldXFrameOptions
	FieldXPoweredBy
	FieldXRealIP
	FieldXRequestedWith
	FieldXRequestID
	nameCount
)

// spellings has the registered spelling of each known name.
var spellings = [nameCount][]byte{
	FieldAccept:                   []byte("Accept"),
	FieldAcceptCharset:            []byte("Accept-Charset"),
	FieldAcceptEncoding:           []byte("Accept-Encoding"),
	FieldAcceptLanguage:           []byte("Accept-Language"),
	FieldAcceptRanges:             []byte("Accept-Ranges"),
	FieldAccessControlAllowOrigin: []byte("Access-Control-Allow-Origin"),
	FieldAge:                      []byte("Age"),
	FieldAllow:                    []byte("Allow"),
	FieldAltSvc:                   []byte("Alt-Svc"),
	FieldAuthorization:            []byte("Authorization"),
	FieldCacheControl:             []byte("Cache-Control"),
	FieldConnection:               []byte("Connection"),
	FieldContentDisposition:       []byte("Content-Disposition"),
	FieldContentEncoding:          []byte("Content-Encoding"),
	FieldContentLanguage:          []byte("Content-Language"),
	FieldContentLength:            []byte("Content-Length"),
	FieldContentLocation:          []byte("Content-Location"),
	FieldContentRange:             []byte("Content-Range"),
	FieldContentSecurityPolicy:    []byte("Content-Security-Policy"),
	FieldContentType:              []byte("Content-Type"),
	FieldCookie:                   []byte("Cookie"),
	FieldDate:                     []byte("Date"),
	FieldDNT:                      []byte("DNT"),
	FieldETag:                     []byte("ETag"),
	FieldExpect:                   []byte("Expect"),
	FieldExpires:                  []byte("Expires"),
	FieldForwarded:                []byte("Forwarded"),
	FieldHost:                     []byte("Host"),
	FieldHTTP2Settings:            []byte("HTTP2-Settings"),
	FieldIfMatch:                  []byte("If-Match"),
	FieldIfModifiedSince:          []byte("If-Modified-Since"),
	FieldIfNoneMatch:              []byte("If-None-Match"),
	FieldIfRange:                  []byte("If-Range"),
	FieldIfUnmodifiedSince:        []byte("If-Unmodified-Since"),
	FieldKeepAlive:                []byte("Keep-Alive"),
	FieldLastModified:             []byte("Last-Modified"),
	FieldLink:                     []byte("Link"),
	FieldLocation:                 []byte("Location"),
	FieldMaxForwards:              []byte("Max-Forwards"),
	FieldOrigin:                   []byte("Origin"),
	FieldPragma:                   []byte("Pragma"),
	FieldPriority:                 []byte("Priority"),
	FieldProxy:                    []byte("Proxy"),
	FieldProxyAuthenticate:        []byte("Proxy-Authenticate"),
	FieldProxyAuthenticationInfo:  []byte("Proxy-Authentication-Info"),
	FieldProxyAuthorization:       []byte("Proxy-Authorization"),
	FieldProxyConnection:          []byte("Proxy-Connection"),
	FieldRange:                    []byte("Range"),
	FieldReferer:                  []byte("Referer"),
	FieldRefresh:                  []byte("Refresh"),
	FieldRetryAfter:               []byte("Retry-After"),
	FieldSecFetchDest:             []byte("Sec-Fetch-Dest"),
	FieldSecFetchMode:             []byte("Sec-Fetch-Mode"),
	FieldSecFetchSite:             []byte("Sec-Fetch-Site"),
	FieldSecWebSocketAccept:       []byte("Sec-WebSocket-Accept"),
	FieldSecWebSocketExtensions:   []byte("Sec-WebSocket-Extensions"),
	FieldSecWebSocketKey:          []byte("Sec-WebSocket-Key"),
	FieldSecWebSocketProtocol:     []byte("Sec-WebSocket-Protocol"),
	FieldSecWebSocketVersion:      []byte("Sec-WebSocket-Version"),
	FieldServer:                   []byte("Server"),
	FieldServerTiming:             []byte("Server-Timing"),
	FieldSetCookie:                []byte("Set-Cookie"),
	FieldStrictTransportSecurity:  []byte("Strict-Transport-Security"),
	FieldTE:                       []byte("TE"),
	FieldTraceparent:              []byte("traceparent"),
	FieldTracestate:               []byte("tracestate"),
	FieldTrailer:                  []byte("Trailer"),
	FieldTransferEncoding:         []byte("Transfer-Encoding"),
	FieldUpgrade:                  []byte("Upgrade"),
	FieldUpgradeInsecureRequests:  []byte("Upgrade-Insecure-Requests"),
	FieldUserAgent:                []byte("User-Agent"),
	FieldVary:                     []byte("Vary"),
	FieldVia:                      []byte("Via"),
	FieldWWWAuthenticate:          []byte("WWW-Authenticate"),
	FieldXAccelBuffering:          []byte("X-Accel-Buffering"),
	FieldXContentTypeOptions:      []byte("X-Content-Type-Options"),
	FieldXForwardedFor:            []byte("X-Forwarded-For"),
	FieldXForwardedHost:           []byte("X-Forwarded-Host"),
	FieldXForwardedPort:           []byte("X-Forwarded-Port"),
	FieldXForwardedPrefix:         []byte("X-Forwarded-Prefix"),
	FieldXForwardedProto:          []byte("X-Forwarded-Proto"),
	FieldXForwardedServer:         []byte("X-Forwarded-Server"),
	FieldXFrameOptions:            []byte("X-Frame-Options"),
	FieldXPoweredBy:               []byte("X-Powered-By"),
	FieldXRealIP:                  []byte("X-Real-IP"),
	FieldXRequestedWith:           []byte("X-Requested-With"),
	FieldXRequestID:               []byte("X-Request-ID"),
}

// String returns the registered spelling, "" for FieldOther.
func (n Name) String() string { return string(spellings[n]) }

// nameBuckets is a hash table without chains: nameHash spreads the known names so that a bucket holds at most four.
var nameBuckets = fillBuckets()

func fillBuckets() (t [256][4]Name) {
	for id := FieldOther + 1; id < nameCount; id++ {
		b := &t[nameHash(spellings[id])]
		for i := range b {
			if b[i] == FieldOther {
				b[i] = id
				break
			}
		}
	}
	return t
}

// nameHash reads four bytes of a name, whatever their case.
func nameHash(name []byte) uint8 {
	n := len(name)
	first, mid, late, last := uint32(name[0]|0x20), uint32(name[n/2]|0x20), uint32(name[n*3/4]|0x20), uint32(name[n-1]|0x20)
	h := uint32(n)*0x9E3779B1 ^ first*0x85EBCA6B ^ mid*0xC2B2AE35 ^ late*0x27D4EB2F ^ last*0x165667B1
	return uint8(h >> 24)
}

// LookupName returns the known name that equals name in any case, FieldOther if there is none. BenchmarkLookupName.
func LookupName(name []byte) Name {
	if len(name) < 2 {
		return FieldOther
	}
	for _, id := range nameBuckets[nameHash(name)] {
		if id == FieldOther {
			return FieldOther
		}
		if isSpelled(name, spellings[id]) {
			return id
		}
	}
	return FieldOther
}

// isSpelled reports whether name is spelling in any case. Equal bytes, the common case, are not folded.
func isSpelled(name, spelling []byte) bool {
	if string(name) == string(spelling) {
		return true
	}
	if len(name) != len(spelling) {
		return false
	}
	for i, c := range spelling {
		if lower(name[i]) != lower(c) {
			return false
		}
	}
	return true
}
