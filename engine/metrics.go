package engine

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weftworks/weft/engine/function"
)

// collector shows a node's counters to Prometheus, read when they are asked for.
type collector struct{ node *Node }

// Collector returns the node's metrics for a Prometheus registry: log, steps, code, store and functions.
func (n *Node) Collector() prometheus.Collector { return collector{n} }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("weft_"+name, help, labels, nil)
}

var (
	descSyncs     = describe("log_syncs_total", "Group commits of the commit log, one fdatasync each.")
	descLogBytes  = describe("log_bytes_total", "Bytes written to the commit log.")
	descSyncTime  = describe("log_sync_seconds", "Quantiles of the time of one fdatasync, since the start.", "quantile")
	descSteps     = describe("steps_total", "Events folded by partitions.")
	descRunSteps  = describe("workflow_steps_total", "Steps of runs of workflows.")
	descReplays   = describe("workflow_replays_total", "Runs of workflows whose code was not in memory and was run against their history first.")
	descOps       = describe("entity_operations_total", "Operations of entities, failed ones included.")
	descHandovers = describe("code_handovers_total", "Steps of workflows and entities that did not come to an end in time: their partition went on without them.")
	descHot       = describe("code_hot_instances", "Runs and entities whose code is in memory now.")
	descHealthy   = describe("healthy", "1 while the node accepts work.")
	descRunning   = describe("function_running", "Calls inside a function now.", "function")
	descWaiting   = describe("function_waiting", "Calls that wait for a turn now.", "function")
	descCalls     = describe("function_invocations_total", "Calls of a function that have ended.", "function")
	descFailures  = describe("function_failures_total", "Calls of a function that have failed.", "function")
	descProcesses = describe("function_processes", "Processes of a function alive now.", "function")
	descLogged    = describe("execution_log_lines_total", "Lines of execution logs, written and dropped (the disk was too slow or failed).", "what")
	descStore     = describe("store_bytes", "Sizes of the snapshot store.", "what")
)

// Describe implements prometheus.Collector.
func (collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descSyncs, descLogBytes, descSyncTime, descSteps, descRunSteps, descReplays, descOps, descHandovers, descHot, descHealthy, descRunning, descWaiting, descCalls, descFailures,
		descProcesses, descLogged, descStore,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	s := c.node.Stats()
	counter(descSyncs, float64(s.Log.Syncs))
	counter(descLogBytes, float64(s.Log.Bytes))
	for q, d := range map[string]float64{"0.5": s.Log.SyncP50.Seconds(), "0.95": s.Log.SyncP95.Seconds(), "0.99": s.Log.SyncP99.Seconds()} {
		gauge(descSyncTime, d, q)
	}
	counter(descSteps, float64(s.Steps))
	counter(descRunSteps, float64(s.Code.Steps))
	counter(descReplays, float64(s.Code.Replays))
	counter(descOps, float64(s.Code.Operations))
	counter(descHandovers, float64(s.Code.Handovers))
	gauge(descHot, float64(s.Code.Hot))
	counter(descLogged, float64(s.ExecutionLogs.Written), "written")
	counter(descLogged, float64(s.ExecutionLogs.Dropped), "dropped")
	healthy := 1.0
	if c.node.Healthy() != nil {
		healthy = 0
	}
	gauge(descHealthy, healthy)
	if f, ok := c.node.opts.Functions.(interface{ Stats() []function.Stats }); ok {
		for _, fs := range f.Stats() {
			gauge(descRunning, float64(fs.Running), fs.Name)
			gauge(descWaiting, float64(fs.Waiting), fs.Name)
			counter(descCalls, float64(fs.Invocations), fs.Name)
			counter(descFailures, float64(fs.Failures), fs.Name)
			gauge(descProcesses, float64(fs.Processes), fs.Name)
		}
	}
	release, err := c.node.useStore()
	if err != nil {
		return
	}
	defer release()
	m := c.node.store.Metrics()
	gauge(descStore, float64(m.DiskBytes), "disk")
	gauge(descStore, float64(m.MemoryBytes), "memory")
	gauge(descStore, float64(m.CacheBytes), "cache")
	gauge(descStore, float64(m.Debt), "compaction_debt")
}
