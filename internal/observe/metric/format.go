package metric

import (
	"mime"
	"strconv"
	"strings"
)

// A Format is one of the text forms that series can be written in.
type Format uint8

// The formats. Text is what every reader of metrics takes; it is the zero value.
const (
	Text        Format = iota // the text format of Prometheus, version 0.0.4
	OpenMetrics               // OpenMetrics 1.0, without timestamps and exemplars
)

// formats say of each format what its media type is and which version of it is written.
var formats = [...]struct{ media, version string }{
	Text:        {"text/plain", "0.0.4"},
	OpenMetrics: {"application/openmetrics-text", "1.0.0"},
}

// ContentType returns the value of the Content-Type field that goes with the format.
func (f Format) ContentType() string {
	return formats[f].media + "; version=" + formats[f].version + "; charset=utf-8"
}

// Negotiate returns the format that a request with this Accept field asks for (RFC 9110, section 12.5.1): the one of the higher quality, and of two that are
// equal the one that is named more exactly. It is Text if that decides nothing, and if neither is acceptable: a reader that gets no numbers is helped least. What
// can't be read of the field is ignored.
func Negotiate(accept string) Format {
	var ranges [len(formats)]mediaRange
	for part := range strings.SplitSeq(accept, ",") {
		media, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		for f := range formats {
			if r := matching(Format(f), media, parameters); r.exact > ranges[f].exact {
				ranges[f] = r
			}
		}
	}
	text, open := ranges[Text], ranges[OpenMetrics]
	if open.quality > text.quality || open.quality == text.quality && open.quality > 0 && open.exact > text.exact {
		return OpenMetrics
	}
	return Text
}

// A mediaRange is what a part of an Accept field says of a format.
type mediaRange struct {
	quality float64 // from 0, which is not acceptable, to 1
	exact   int     // how exactly it names the format; 0: not at all
}

// matching returns what the media range says of f.
func matching(f Format, media string, parameters map[string]string) (r mediaRange) {
	version, hasVersion := parameters["version"]
	kind, _, _ := strings.Cut(formats[f].media, "/")
	switch {
	case media == formats[f].media && hasVersion && version == formats[f].version:
		r.exact = 4
	case media == formats[f].media && !hasVersion:
		r.exact = 3
	case media == kind+"/*":
		r.exact = 2
	case media == "*/*":
		r.exact = 1
	}
	r.quality = 1
	if q, ok := parameters["q"]; ok {
		var err error
		if r.quality, err = strconv.ParseFloat(q, 64); err != nil || !(r.quality >= 0 && r.quality <= 1) {
			return mediaRange{}
		}
	}
	return r
}
