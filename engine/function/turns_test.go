package function

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// epoch is when tests of turns begin.
var epoch = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// modelCall is a call as the model sees it.
type modelCall struct {
	Request
	waiter *waiter
	key    *key
}

// model repeats what turns does with lists that it searches.
type model struct {
	t       *rapid.T
	s       *Settings
	turns   turns
	now     time.Time
	waiting []*modelCall // in the order they came
	running []*modelCall
	begun   []time.Time
	since   map[int8]time.Time
}

// keyRoom reports whether a call's key has room.
func (m *model) keyRoom(c *modelCall) bool {
	n := 0
	for _, r := range m.running {
		if r.ConcurrencyKey == c.ConcurrencyKey {
			n++
		}
	}
	return m.s.PerKey == 0 || c.ConcurrencyKey == "" || n < m.s.PerKey
}

func (m *model) room() bool { return m.s.Concurrency == 0 || len(m.running) < m.s.Concurrency }

// token reports whether one more call keeps every window of time below burst and rate.
func (m *model) token() bool {
	each := m.turns.rate.each
	for i, at := range m.begun {
		if each > 0 && len(m.begun)-i+1 > m.s.Burst+int(m.now.Sub(at)/each) {
			return false
		}
	}
	return true
}

// able returns the waiting calls that only room and rate can hold up.
func (m *model) able() (calls []*modelCall) {
	for _, c := range m.waiting {
		if m.keyRoom(c) {
			calls = append(calls, c)
		}
	}
	return calls
}

func (m *model) aged(priority int8) int {
	return int(priority) + int(m.now.Sub(m.since[priority])/m.s.Aging)
}

// leave takes a call out of those that wait.
func (m *model) leave(c *modelCall) {
	m.waiting = slices.DeleteFunc(m.waiting, func(o *modelCall) bool { return o == c })
	if !slices.ContainsFunc(m.waiting, func(o *modelCall) bool { return o.Priority == c.Priority }) {
		delete(m.since, c.Priority)
	}
}

func (m *model) begin(c *modelCall) {
	m.running = append(m.running, c)
	m.begun = append(m.begun, m.now)
}

// admit asks for turns until there are none and checks each.
func (m *model) admit() {
	for {
		able := m.able()
		may := m.room() && m.token() && len(able) > 0
		w := m.turns.next(m.now)
		if (w != nil) != may {
			m.t.Fatalf("next gives %v; room %v, token %v, %d calls that may begin", w, m.room(), m.token(), len(able))
		}
		if w == nil {
			break
		}
		i := slices.IndexFunc(able, func(c *modelCall) bool { return c.waiter == w })
		if i < 0 {
			m.t.Fatalf("a call was let in that does not wait, or whose key is full")
		}
		c := able[i]
		for j, o := range able {
			if mine, its := m.aged(c.Priority), m.aged(o.Priority); its > mine || (its == mine && m.since[o.Priority].Before(m.since[c.Priority])) {
				m.t.Fatalf("a call of priority %d (aged %d) went before one of %d (aged %d)", c.Priority, mine, o.Priority, its)
			}
			if o.Priority == c.Priority && o.Tenant == c.Tenant && j < i {
				m.t.Fatalf("a call passed an older one of its tenant")
			}
		}
		m.since[c.Priority] = m.now
		m.leave(c)
		m.begin(c)
	}
	at, ok := m.turns.wake()
	if want := m.room() && len(m.able()) > 0; ok != want || (ok && !at.After(m.now)) {
		m.t.Fatalf("wake says %v, %v; want %v and later than %v", at, ok, want, m.now)
	}
}

// arrive brings a call, which begins or waits.
func (m *model) arrive() {
	c := &modelCall{Request: Request{
		ConcurrencyKey: rapid.SampledFrom([]string{"", "k", "l"}).Draw(m.t, "key"),
		Priority:       rapid.SampledFrom([]int8{-1, 0, 2}).Draw(m.t, "priority"),
		Tenant:         rapid.SampledFrom([]string{"", "a", "b"}).Draw(m.t, "tenant"),
	}}
	may := m.room() && m.token() && m.keyRoom(c) && len(m.able()) == 0
	k, ok := m.turns.begin(c.ConcurrencyKey, m.now)
	if ok != may {
		m.t.Fatalf("begin says %v", ok)
	}
	if c.key = k; ok {
		m.begin(c)
		return
	}
	if _, ok := m.since[c.Priority]; !ok {
		m.since[c.Priority] = m.now
	}
	c.waiter = m.turns.push(&c.Request, m.now)
	c.key = c.waiter.key
	m.waiting = append(m.waiting, c)
	m.admit()
}

// end ends a call that runs.
func (m *model) end() {
	if len(m.running) == 0 {
		m.t.Skip("nothing runs")
	}
	i := rapid.IntRange(0, len(m.running)-1).Draw(m.t, "which")
	c := m.running[i]
	m.running = slices.Delete(m.running, i, i+1)
	m.turns.end(c.key)
	m.admit()
}

// cancel takes back a call that waits.
func (m *model) cancel() {
	if len(m.waiting) == 0 {
		m.t.Skip("nothing waits")
	}
	c := m.waiting[rapid.IntRange(0, len(m.waiting)-1).Draw(m.t, "which")]
	m.turns.remove(c.waiter)
	m.leave(c)
	m.admit()
}

func (m *model) check() {
	held := len(m.waiting) - len(m.able())
	if v := &m.turns; v.running != len(m.running) || v.waiting != len(m.waiting) || v.held != held {
		m.t.Fatalf("%d run, %d wait, %d are held; want %d, %d, %d", v.running, v.waiting, v.held, len(m.running), len(m.waiting), held)
	}
}

// TestTurnsAgainstModel holds, for every sequence of arrivals, ends, cancellations and pauses: the limits; that whatever
// may begin does, but for nobody else; the order; and that nothing is left of calls that are gone.
func TestTurnsAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := settings(t, Settings{
			Concurrency: rapid.IntRange(0, 4).Draw(t, "concurrency"),
			PerKey:      rapid.IntRange(0, 2).Draw(t, "per key"),
			Rate:        rapid.SampledFrom([]float64{0, 0.3, 7}).Draw(t, "rate"),
			Tenants:     map[string]int{"a": 3},
		})
		m := &model{t: t, s: s, turns: newTurns(s), now: epoch, since: map[int8]time.Time{}}
		t.Repeat(map[string]func(*rapid.T){
			"arrive":      func(*rapid.T) { m.arrive() },
			"arrive more": func(*rapid.T) { m.arrive() },
			"end":         func(*rapid.T) { m.end() },
			"cancel":      func(*rapid.T) { m.cancel() },
			"pause": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(1, 60_000).Draw(t, "ms")) * time.Millisecond)
				if rapid.Bool().Draw(t, "on time") {
					m.admit()
				}
			},
			"": func(*rapid.T) { m.check() },
		})
		for len(m.waiting) > 0 {
			m.cancel()
		}
		for len(m.running) > 0 {
			m.end()
		}
		isIdle(t, &m.turns)
	})
}

// TestTenantsShareByWeight holds the bound of the fair queue over every stretch of time in which all tenants have calls
// that wait.
func TestTenantsShareByWeight(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.IntRange(1, 9), 2, 5).Draw(t, "weights")
		s := settings(t, Settings{Concurrency: 1, Tenants: map[string]int{}})
		for i, w := range weights {
			s.Tenants[strconv.Itoa(i)] = w
		}
		v := newTurns(s)
		tenants := map[*waiter]int{}
		push := func(tenant int) { tenants[v.push(&Request{Tenant: strconv.Itoa(tenant)}, epoch)] = tenant }
		v.begin("", epoch)
		for i := range weights {
			for range rapid.IntRange(1, 20).Draw(t, "backlog") {
				push(i)
			}
		}
		served := make([]float64, len(weights)) // per weight
		least, most := map[[2]int]float64{}, map[[2]int]float64{}
		for range 200 {
			v.end(nil)
			i := tenants[v.next(epoch)]
			push(i)
			served[i] += 1 / float64(weights[i])
			for a := range weights {
				for b := range a {
					d := served[a] - served[b]
					least[[2]int{a, b}], most[[2]int{a, b}] = min(least[[2]int{a, b}], d), max(most[[2]int{a, b}], d)
					bound := 1/float64(weights[a]) + 1/float64(weights[b]) + 0.001
					if apart := most[[2]int{a, b}] - least[[2]int{a, b}]; apart > bound {
						t.Fatalf("tenants %d and %d are %.3f apart, at most %.3f are allowed", a, b, apart, bound)
					}
				}
			}
		}
	})
}

// TestSharedKeyStarvesNobody has tenants that wait for one key, while another without a key keeps the level's clock
// going, in which the others are parked most of the time.
func TestSharedKeyStarvesNobody(t *testing.T) {
	t.Parallel()
	v := newTurns(settings(t, Settings{Concurrency: 2, PerKey: 1, Tenants: map[string]int{"big": 5}}))
	reqs := map[*waiter]*Request{}
	push := func(req *Request) { reqs[v.push(req, epoch)] = req }
	k, _ := v.begin("k", epoch)
	v.begin("", epoch)
	running := []*key{k, nil}
	for range 5 {
		push(&Request{Tenant: "big", ConcurrencyKey: "k"})
		push(&Request{Tenant: "small", ConcurrencyKey: "k"})
		push(&Request{Tenant: "free"})
	}
	served := map[string]int{}
	for range 700 {
		v.end(running[0])
		running = running[1:]
		for w := v.next(epoch); w != nil; w = v.next(epoch) {
			running = append(running, w.key)
			served[reqs[w].Tenant]++
			push(reqs[w])
		}
	}
	if served["small"] < 100 || served["big"] < served["small"] || served["free"] < served["small"] {
		t.Errorf("served %v", served)
	}
}

// TestBacklogDoesNotStarve has a tenant with 100,000 waiting calls, old ones: another's call is next but one.
func TestBacklogDoesNotStarve(t *testing.T) {
	t.Parallel()
	v := newTurns(settings(t, Settings{Concurrency: 1}))
	v.begin("", epoch)
	for range 100_000 {
		v.push(&Request{Tenant: "many"}, epoch)
	}
	now := epoch.Add(time.Hour)
	few := v.push(&Request{Tenant: "few"}, now)
	for range 2 {
		v.end(nil)
		if v.next(now) == few {
			return
		}
	}
	t.Error("two calls began before the tenant with one")
}

// TestPrioritiesAge serves a call a second. High calls never end, and a lower priority gets a turn whenever it has
// waited for its distance.
func TestPrioritiesAge(t *testing.T) {
	t.Parallel()
	v := newTurns(settings(t, Settings{Concurrency: 1}))
	v.begin("", epoch)
	priorities := map[*waiter]int8{}
	for range 400 {
		for _, p := range []int8{3, 2, -1} {
			priorities[v.push(&Request{Priority: p}, epoch)] = p
		}
	}
	got := map[int8][]int{}
	for second := range 300 {
		now := epoch.Add(time.Duration(second) * time.Second)
		v.end(nil)
		p := priorities[v.next(now)]
		got[p] = append(got[p], second)
	}
	if want := []int{30, 60, 90, 121, 151, 181, 211, 241, 271}; !slices.Equal(got[2], want) {
		t.Errorf("priority 2 had its turns at %v, want %v", got[2], want)
	}
	if want := []int{120, 240}; !slices.Equal(got[-1], want) {
		t.Errorf("priority -1 had its turns at %v, want %v", got[-1], want)
	}
}

// TestBucketBounds takes the extremes, whose times must not overflow.
func TestBucketBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate  float64
		burst int
		each  time.Duration
	}{{RateLeast, BurstMost, time.Hour}, {RateMost, 1, time.Microsecond}, {3, 2, 333_333_334}} {
		b := newBucket(c.rate, c.burst)
		b.take(epoch)
		b.full = b.full.Add(time.Duration(c.burst-1) * c.each) // the others are taken
		if b.ready(epoch.Add(c.each-1)) || !b.ready(epoch.Add(c.each)) {
			t.Errorf("rate %v: the next token comes after %v, want %v", c.rate, b.next().Sub(epoch), c.each)
		}
	}
}

// BenchmarkTurns ends a call and lets the next in while many of many tenants and keys wait.
func BenchmarkTurns(b *testing.B) {
	const waiting = 65_536
	for _, tenants := range []int{1, 100, 10_000} {
		b.Run(strconv.Itoa(tenants)+" tenants", func(b *testing.B) {
			v := newTurns(settings(b, Settings{Concurrency: 100, PerKey: 1}))
			reqs := make([]Request, waiting)
			var running []*key
			for i := range reqs {
				reqs[i] = Request{Tenant: strconv.Itoa(i % tenants), ConcurrencyKey: strconv.Itoa(i % 1000), Priority: int8(i % 3)}
				if k, ok := v.begin(reqs[i].ConcurrencyKey, epoch); ok {
					running = append(running, k)
				} else {
					v.push(&reqs[i], epoch)
				}
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				at := i % len(running)
				v.end(running[at])
				w := v.next(epoch)
				running[at] = w.key
				v.push(&reqs[i%waiting], epoch)
			}
		})
	}
}
