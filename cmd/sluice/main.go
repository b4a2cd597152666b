// Command sluice is a reverse proxy.
package main

import (
	"context"
	"log/slog"
	"net/http"
	_ "net/http/pprof"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"sluice/internal/app"
	"sluice/internal/build"
	"sluice/internal/config"
)

func main() {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	n := 1
	if os.Getenv("LOOPS") == "2" {
		n = 2
	}
	runtime.GOMAXPROCS(n)
	if p := os.Getenv("PPROF"); p != "" {
		go http.ListenAndServe(p, nil)
	}
	d := &config.Decoder{Features: build.Features()}
	cfg := config.Load(d, config.Disk(), os.Args[len(os.Args)-1])
	e, err := app.NewEngine(n, log)
	if err != nil {
		panic(err)
	}
	snap := build.Build(d, cfg, nil, build.Env{Loops: n})
	if d.Failed() {
		d.Render(os.Stderr, false)
		os.Exit(2)
	}
	if err := e.Start(snap); err != nil {
		panic(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	<-ctx.Done()
	stop()
	e.Stop(context.Background())
}
