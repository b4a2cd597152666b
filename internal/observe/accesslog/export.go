package accesslog

// What follows is for spans (observe/trace): they are written as log lines are, so that the same text stands in both, and the same is hidden.

// AppendURL appends src, a path or the first part of a URL, without its secrets: valid UTF-8 of at most about bytesMax bytes, escaped as in a JSON string.
func AppendURL(dst, src []byte, bytesMax int) []byte {
	return nameSet(nil).appendURL(dst, src, false, bytesMax, asJSON)
}

// AppendAgent appends the value of User-Agent without secrets, as AppendURL does.
func AppendAgent(dst, src []byte) []byte { return appendAgent(dst, src, nil, asJSON) }

// AppendText appends v, which is no secret, as AppendURL does.
func AppendText[T []byte | string](dst []byte, v T, bytesMax int) []byte {
	return appendText(dst, v, bytesMax, asJSON)
}
