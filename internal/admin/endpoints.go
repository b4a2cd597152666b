package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// endpointMax is the largest content of a request about a server, in bytes.
const endpointMax = 4 << 10

// weightMax is the largest weight.
const weightMax = 1000

// endpoints are the resources about pools and their servers.
func (srv *Server) endpoints() []resource {
	missing := []int{http.StatusNotFound}
	draining, back := true, false
	return []resource{
		{method: "GET", path: "/v1/pools", do: srv.pools, summary: "All pools with their servers", answer: []Pool{}},
		{method: "GET", path: "/v1/pools/{pool}", do: srv.pool, summary: "One pool", answer: Pool{}, statuses: missing},
		{method: "PUT", path: "/v1/pools/{pool}/endpoints/{endpoint}", do: srv.rotate, summary: "Changes the share of a server, until the process ends", body: Rotation{}, answer: []Endpoint{},
			statuses: append(missing, http.StatusBadRequest)},
		{method: "POST", path: "/v1/pools/{pool}/endpoints/{endpoint}/drain", do: srv.rotation(Rotation{Draining: &draining}),
			summary: "Takes a server out: exchanges that run go on, no new ones come", answer: []Endpoint{}, statuses: missing},
		{method: "POST", path: "/v1/pools/{pool}/endpoints/{endpoint}/undrain", do: srv.rotation(Rotation{Draining: &back}), summary: "Brings a server back", answer: []Endpoint{}, statuses: missing},
	}
}

func (srv *Server) pools(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, listed(srv.sources.Status()).Pools)
}

func (srv *Server) pool(w http.ResponseWriter, q *http.Request) {
	for _, p := range listed(srv.sources.Status()).Pools {
		if p.Name == q.PathValue("pool") {
			writeJSON(w, http.StatusOK, p)
			return
		}
	}
	writeError(w, http.StatusNotFound, fmt.Sprintf("there is no pool %q", q.PathValue("pool")))
}

// rotate changes what the content of a request says.
func (srv *Server) rotate(w http.ResponseWriter, q *http.Request) {
	var r Rotation
	switch err := decodeOne(http.MaxBytesReader(w, q.Body, endpointMax), &r); {
	case err != nil:
		writeError(w, http.StatusBadRequest, fmt.Sprintf(`the content is JSON such as {"weight": 3} or {"draining": true}: %v`, err))
	case r == Rotation{}:
		writeError(w, http.StatusBadRequest, `nothing is to be changed: write {"weight": 3} or {"draining": true}`)
	case r.Weight != nil && (*r.Weight < 0 || *r.Weight > weightMax):
		writeError(w, http.StatusBadRequest, fmt.Sprintf("a weight is from 1 to %d; 0 brings that of the config back", weightMax))
	default:
		srv.rotation(r)(w, q)
	}
}

// decodeOne decodes JSON that holds one value, with known fields only, and nothing behind it.
func decodeOne(content io.Reader, into any) error {
	d := json.NewDecoder(content)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows its end")
	}
	return nil
}

func (srv *Server) rotation(r Rotation) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		endpoints, err := srv.sources.Rotate(q.PathValue("pool"), q.PathValue("endpoint"), r)
		if err != nil {
			writeError(w, http.StatusNotFound, err.Error())
			return
		}
		writeJSON(w, http.StatusOK, endpoints)
	}
}
