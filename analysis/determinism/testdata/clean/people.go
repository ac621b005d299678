package clean

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/weftworks/weft"
)

// 6: somebody has to say yes, by a deadline.

type Decision struct {
	By  string
	Yes bool
}

type approval struct {
	ask      *weft.FunctionOf[string, bool]
	decided  weft.EventOf[Decision]
	deadline time.Duration
}

func (a *approval) Run(w *weft.Flow, what string) (string, error) {
	until := w.Now().Add(a.deadline)
	for w.Now().Before(until) {
		if _, err := a.ask.Call(w, what); err != nil {
			return "", err
		}
		d, err := a.decided.WaitFor(w, time.Hour)
		switch {
		case err != nil:
			w.Log().Info("nobody has decided yet", "what", what)
		case d.Yes:
			return "approved by " + d.By, nil
		}
		w.Sleep(min(until.Sub(w.Now()), time.Hour))
	}
	return "expired", nil
}

func NewApproval(deadline time.Duration) *weft.WorkflowOf[string, string] {
	a := &approval{
		ask:      weft.Function("ask", func(ctx context.Context, what string) (bool, error) { return true, nil }),
		decided:  weft.Event[Decision]("decided"),
		deadline: deadline,
	}
	return weft.Workflow("approval", a.Run)
}

// 7: onboarding, with a template and a token made of the input.

var (
	welcome   = template.Must(template.New("welcome").Parse("Hello {{.}}"))
	addresses = regexp.MustCompile(`^[^@]+@[^@]+$`)
)

func Onboard(w *weft.Flow, address string) (string, error) {
	if !addresses.MatchString(address) {
		return "", fmt.Errorf("%q is no address", address)
	}
	var body bytes.Buffer
	if err := welcome.Execute(&body, address); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(address + w.UUID()))
	token := hex.EncodeToString(sum[:])
	body.WriteString("\n" + token)
	if _, err := mail.Call(w, Mail{To: address, Subject: "Welcome", Body: body.String()}); err != nil {
		return "", err
	}
	days := []int{1, 3, 7}
	for i, day := range days {
		w.Sleep(time.Duration(day) * 24 * time.Hour)
		mail.Start(w, Mail{To: address, Subject: "Tip " + strconv.Itoa(i+1)})
	}
	return token, nil
}

// 8: a subscription that renews on a calendar day, for ever.

type Subscription struct {
	Customer string
	Cents    int64
	Paid     time.Time
	Months   int
}

var Subscribe *weft.WorkflowOf[Subscription, Subscription]

func init() {
	Subscribe = weft.Workflow("subscription", func(w *weft.Flow, in Subscription) (Subscription, error) {
		next := nextMonth(in.Paid, in.Months)
		if d := next.Sub(w.Now()); d > 0 {
			w.Sleep(d)
		}
		if _, err := charge.Call(w, Payment{in.Customer, in.Cents}); err != nil {
			return in, err
		}
		in.Months++
		return in, Subscribe.ContinueAsNew(in)
	})
}

func nextMonth(from time.Time, months int) time.Time {
	first := time.Date(from.Year(), from.Month()+time.Month(months+1), 1, from.Hour(), 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(from.Day(), last)-1)
}

// 9: votes, counted; the winner is the first by count and then by name.

func Vote(w *weft.Flow, ballots []string) (string, error) {
	counts := map[string]int{}
	for _, b := range ballots {
		counts[strings.ToLower(strings.TrimSpace(b))]++
	}
	most, n := 0, 0
	for _, c := range counts {
		if c > most {
			most = c
		}
		n += c
	}
	var winners []string
	for name, c := range counts {
		if c == most {
			winners = append(winners, name)
		}
	}
	slices.Sort(winners)
	if len(winners) == 0 || n == 0 {
		return "", errors.New("nobody voted")
	}
	for name, c := range counts {
		if c*2 < n {
			delete(counts, name)
		}
	}
	return winners[0], nil
}

// 10: an on-call chain: whoever answers first, the next after ten minutes.

type Alert struct {
	Text  string
	Chain []string
}

var (
	page  = weft.Function("page", func(ctx context.Context, who string) (string, error) { return who, nil })
	chain sync.Once
	rank  map[string]int
)

func ranks() map[string]int {
	chain.Do(func() { rank = map[string]int{"lead": 0, "engineer": 1} })
	return rank
}

func Escalate(w *weft.Flow, in Alert) (string, error) {
	people := slices.SortedFunc(slices.Values(in.Chain), func(a, b string) int {
		return cmp.Or(cmp.Compare(ranks()[a], ranks()[b]), strings.Compare(a, b))
	})
	var answers []weft.Future[string]
	var waits []weft.Awaitable
	for _, who := range people {
		answers = append(answers, page.Start(w, who))
		waits = append(waits, answers[len(answers)-1])
		if i := weft.Any(w, append(slices.Clone(waits), weft.After(w, 10*time.Minute))...); i < len(answers) {
			return answers[i].Await(w)
		}
	}
	return "", fmt.Errorf("nobody answered %q", in.Text)
}

// 11: a lottery: the numbers are drawn by the workflow's own source.

func Lottery(w *weft.Flow, tickets map[string][]int) ([]string, error) {
	r := w.Rand()
	drawn := r.Perm(49)[:6]
	slices.Sort(drawn)
	var winners []string
	for name, numbers := range tickets {
		if hits(numbers, drawn) >= 3 {
			winners = append(winners, name)
		}
	}
	winners = slices.Sorted(slices.Values(winners))
	r.Shuffle(len(winners), func(i, j int) { winners[i], winners[j] = winners[j], winners[i] })
	return winners, nil
}

func hits(a, b []int) (n int) {
	set := make(map[int]struct{}, len(b))
	for _, x := range b {
		set[x] = struct{}{}
	}
	for _, x := range a {
		if _, ok := set[x]; ok {
			n++
		}
	}
	return n
}

// 12: settings of a user, merged over defaults.

var defaults = map[string]string{"language": "en", "zone": "UTC"}

func Settings(w *weft.Flow, mine map[string]string) (map[string]string, error) {
	merged := maps.Clone(defaults)
	maps.Copy(merged, mine)
	for k, v := range merged {
		if v == "" {
			delete(merged, k)
		} else {
			merged[k] = strings.ToLower(v)
		}
	}
	zone, err := time.LoadLocation(merged["zone"])
	if err != nil {
		return nil, err
	}
	merged["today"] = w.Now().In(zone).Format(time.DateOnly)
	return merged, nil
}
