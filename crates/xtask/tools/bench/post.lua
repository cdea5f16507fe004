-- For wrk: posts the file named by the first argument, with headers from pairs of further arguments, and prints one
-- line `figures {...}`: times in microseconds, errors as counts.

function init(args)
  local file = assert(io.open(args[1], "rb"))
  wrk.headers["content-type"] = "application/json"
  for i = 2, #args, 2 do
    wrk.headers[args[i]] = args[i + 1]
  end
  wrk.method = "POST"
  wrk.body = file:read("*a")
  file:close()
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    'figures {"requests":%d,"micros":%d,"p50":%d,"p99":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
