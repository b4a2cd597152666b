-- What wrk sends in the workload "upload": 1 MiB with its length.
wrk.method = "POST"
wrk.body = string.rep("sluice!\n", 131072)
