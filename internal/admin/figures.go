package admin

// Figures are what was counted in a span of time: the data of events of the kind "figures".
type Figures struct {
	// Seconds is how long the span was.
	Seconds float64 `json:"seconds"`
	// Total is all sites together; its name is empty.
	Total SiteFigures `json:"total"`
	// Sites are those with the most requests, the most first. One without a name stands for requests that reached no site.
	Sites []SiteFigures `json:"sites"`
	// Pools are those with the most attempts, the most first.
	Pools []PoolFigures `json:"pools"`
}

// SiteFigures are those of one site.
type SiteFigures struct {
	// Site is its name.
	Site string `json:"site"`
	// Requests is how many were answered.
	Requests int64 `json:"requests"`
	// ClientErrors is how many of these were answered with 4xx.
	ClientErrors int64 `json:"client_errors"`
	// ServerErrors is how many were answered with 5xx, or not at all.
	ServerErrors int64 `json:"server_errors"`
	// Aborted is how many responses the client did not get the whole of.
	Aborted int64 `json:"aborted"`
	// Received is how many bytes came from clients.
	Received int64 `json:"received_bytes"`
	// Sent is how many bytes went to clients.
	Sent int64 `json:"sent_bytes"`
	// Duration is how long requests took, from the first byte to the last one of the response.
	Duration Quantiles `json:"duration_ms"`
}

// PoolFigures are those of one pool.
type PoolFigures struct {
	// Pool is its name.
	Pool string `json:"pool"`
	// Requests is how many attempts brought a response.
	Requests int64 `json:"requests"`
	// Retries is how many attempts came after a first one.
	Retries int64 `json:"retries"`
	// Response is how long it took until the head of a response.
	Response Quantiles `json:"response_ms"`
	// Connect is how long new connections took.
	Connect Quantiles `json:"connect_ms"`
}

// Quantiles are those of times, in milliseconds; all are 0 where nothing was counted.
type Quantiles struct {
	// P50 is the median.
	P50 float64 `json:"p50"`
	// P90 is what nine of ten do not exceed.
	P90 float64 `json:"p90"`
	// P99 is what 99 of 100 do not exceed.
	P99 float64 `json:"p99"`
}
