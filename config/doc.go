// Package config reads weft.yaml, which declares functions and the few settings of a node that belong to a
// project rather than to a command line.
//
// Everything in the file is optional, and so is the file. All problems are reported at once, each with its
// line. An unknown key is a problem.
//
//	defaults:                 # for every function that does not say otherwise
//	  timeout: 30s
//
//	functions:
//	  count:  {runtime: go, source: ./fn/count, concurrency: 8}
//	  resize: {runtime: python, handler: resize.handler, timeout: 30s, env: {LEVEL: "9"}}
//	  shout:  {runtime: node, handler: src/shout.handler}
//	  legacy: {runtime: provided, binary: ./bootstrap}
//	  bill:   {runtime: command, command: [./bill.sh, --strict]}
//	  notify: {runtime: http, url: "http://127.0.0.1:9000/notify", idempotent: true}
//
//	limits: {payload: 256KiB}  # or: limits: aws
//	objects: ./buckets         # or: objects: s3
//	executionLogs: ./logs      # or: executionLogs: off
//	retain: 7d                 # or per status: {succeeded: 1d, failed: forever}
//
//	aws: {endpoints: {sqs: "http://127.0.0.1:9324"}}
//	integrations:
//	  crm:createLead: {url: "http://127.0.0.1:9100/leads", timeout: 10s}
//	  ses:sendEmail: {function: bill}
//	connections:
//	  stripe: {basic: {username: weft, password: {env: STRIPE_KEY}}}
//	sinks: {sns: {orders: "http://127.0.0.1:9000/orders"}, events: {default: "http://127.0.0.1:9000/events"}}
//
// # A function
//
// Its name has 1 to 140 letters, digits, '-' and '_'; that name, or any Lambda ARN that ends in it, is what a
// state's Resource says.
//
//	key          for        meaning and default
//	runtime      all        go, python, node, provided, command or http; needed
//	source       go         directory with a main package, or a .go file; needed
//	handler      python     file.function, looked up in dir; needed
//	             node       file.function (.js, .cjs, .mjs), looked up in dir; needed
//	binary       provided   a program that speaks the Lambda Runtime API; needed
//	command      command    program and arguments, as a list; no shell is involved; needed
//	url          http       where to POST; needed
//	headers      http       mapping of headers to send along
//	dir          not http   where the function runs; default: the source's directory for go, else that of weft.yaml
//	timeout      all        ends a call; default 60s, at most 24h
//	concurrency  all        calls at a time on one node, more wait; default 8 (http: 64), at most 10000
//	concurrencyPerKey
//	             all        calls at a time with the same concurrency key; others pass them; default no limit
//	rate         all        calls begun, as 100/s, 10/m or 5/h; more wait; default no limit; from 1/h to 1000000/s
//	burst        all        calls that may begin at once after a pause, with rate; default what it allows in a second
//	tenants      all        mapping of tenants to weights (1 to 1000): their shares while calls of several wait; default 1 each
//	queue        all        calls that may wait, whatever for; default 65536
//	idempotent   all        running a call again does no harm; default false
//	env          not http   mapping of environment variables; values are text (quote numbers if it matters how they look)
//	idle         processes  stops a process that had nothing to do for so long; default 5m
//	init         processes  how long a process may take until it asks for work; default 10s
//	memory       processes  MiB told to the function, not enforced; default 128
//
// "processes" are the runtimes go, python, node and provided. Paths are relative to the directory of weft.yaml.
//
// # The rest
//
// defaults takes timeout, concurrency, concurrencyPerKey, rate, burst, tenants, queue, env, idle, init and memory; a
// function's own env adds to it. Limits are those of each function, not of all together.
// A default that a runtime has no use for is ignored there.
//
// heartbeat is not for any of these runtimes: their functions cannot call function.Beat. It is a key to be told so.
//
// limits takes payload, definition and variables (sizes) and history (a number of events), or the word aws
// for what Step Functions documents; see package limits for what they bound.
//
// objects says where the buckets of distributed Maps are: a directory, whose subdirectories are the buckets, or the word
// s3 for S3 or the server that aws.endpoints.s3 names. Without it they are in the directory objects of the data directory. Tasks
// that call S3 use that directory too, unless there is an endpoint of s3.
//
// executionLogs is the directory of the execution logs that state machines ask for (loggingConfiguration), or the word off.
// Without it they are in the directory logs of the data directory. No two servers may have the same.
//
// retain says how long ended runs are kept: a duration, or forever (or 0), for all of them or by status: succeeded,
// failed, timed_out and aborted. What it does not name is kept for 90 days, as Step Functions does.
//
// # Service integrations
//
// docs/integrations.md says what they do. aws says where S3, SQS and DynamoDB are: region, profile, and endpoints (URLs
// by service: dynamodb, s3, sqs). sinks are URLs that messages of topics (sns) and events of buses (events) are posted to; "*"
// is every other one. connections are what http:invoke may use: one of basic (username, password), apiKey (name, value) and oauth
// (url, clientId, clientSecret, method, headers, query, body), and headers, query and body of every request. integrations are a file's
// own: service:action, and a url (with headers and a timeout, default 60s) or a function of the file. They replace built-in ones.
//
// Secrets (all values of connections, headers of integrations) are texts, or {env: NAME} for what the environment has.
//
// Durations are numbers with units ms, s, m, h or d ("90s", "1h30m", "7d"), sizes have B, KiB, MiB, GiB, KB, MB
// or GB.
package config
