// Package clean has workflows as people write them. None of them is to be reported.
package clean

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/weftworks/weft"
)

// 1: an order, with a saga that undoes what was done.

type Order struct {
	ID       string
	Customer string
	Lines    []Line
	Placed   time.Time
}

type Line struct {
	SKU   string
	Count int
	Price float64
}

type Receipt struct {
	Order string `json:"order"`
	Total int64  `json:"total"`
	Notes []string
}

var errSoldOut = errors.New("sold out")

var (
	reserve = weft.Function("reserve", func(ctx context.Context, l Line) (string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://stock/reserve", strings.NewReader(l.SKU))
		if err != nil {
			return "", err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		return fmt.Sprint(time.Now().UnixNano()), nil
	})
	release = weft.Function("release", func(ctx context.Context, reservation string) (bool, error) { return true, nil })
	charge  = weft.Function("charge", charged)
	refund  = weft.Function("refund", func(ctx context.Context, payment string) (bool, error) { return true, nil })
	mail    = weft.Function("mail", func(ctx context.Context, m Mail) (bool, error) {
		fmt.Println("mail to", m.To)
		return true, nil
	})
)

type Mail struct{ To, Subject, Body string }

type Payment struct {
	Customer string
	Cents    int64
}

func charged(ctx context.Context, p Payment) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return "payment-" + p.Customer, ctx.Err()
}

// undo is a stack of what has to be undone.
type undo struct {
	steps []func(w *weft.Flow) error
}

func (u *undo) push(step func(w *weft.Flow) error) { u.steps = append(u.steps, step) }

func (u *undo) run(w *weft.Flow) error {
	var errs []error
	for _, step := range slices.Backward(u.steps) {
		if err := step(w); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

var PlaceOrder = weft.Workflow("order", func(w *weft.Flow, in Order) (out Receipt, err error) {
	var undone undo
	defer func() {
		if err != nil {
			err = errors.Join(err, undone.run(w))
		}
	}()
	for _, line := range in.Lines {
		id, err := reserve.Call(w, line)
		if err != nil {
			return out, fmt.Errorf("order %s: %s: %w", in.ID, line.SKU, err)
		}
		undone.push(func(w *weft.Flow) error {
			_, err := release.Call(w, id)
			return err
		})
	}
	total := cents(in.Lines)
	payment, err := charge.Call(w, Payment{in.Customer, total})
	if err != nil {
		return out, err
	}
	undone.push(func(w *weft.Flow) error {
		_, err := refund.Call(w, payment)
		return err
	})
	if w.Now().Sub(in.Placed) > 24*time.Hour {
		out.Notes = append(out.Notes, "late by "+w.Now().Sub(in.Placed).Round(time.Minute).String())
	}
	mail.Start(w, Mail{To: in.Customer, Subject: "Thanks", Body: fmt.Sprintf("%d items", len(in.Lines))})
	out.Order, out.Total = in.ID, total
	return out, nil
})

func cents(lines []Line) int64 {
	sum := 0.0
	for _, l := range lines {
		sum += l.Price * float64(l.Count)
	}
	return int64(math.Round(sum * 100))
}

// 2: a cart that is reminded of until it is bought.

var bought = weft.Event[string]("bought")

func Cart(w *weft.Flow, customer string) (string, error) {
	for n := range 3 {
		sale := bought.Next(w)
		if weft.Any(w, sale, weft.After(w, time.Duration(n+1)*24*time.Hour)) == 0 {
			return sale.Await(w)
		}
		if _, err := mail.Call(w, Mail{To: customer, Subject: "Still there?"}); err != nil {
			w.Log().Warn("no reminder", "customer", customer, "error", err)
		}
	}
	return "forgotten", nil
}

// 3: the stock of many shops, summed up.

type Stock struct {
	Shop  string
	Count map[string]int
}

var stockOf = weft.Function("stock-of", func(ctx context.Context, shop string) (Stock, error) { return Stock{Shop: shop}, nil })

func Inventory(w *weft.Flow, shops []string) (map[string]int, error) {
	calls := make([]weft.Future[Stock], len(shops))
	for i, s := range shops {
		calls[i] = stockOf.Start(w, s)
	}
	stocks, err := weft.All(w, calls...)
	if err != nil {
		return nil, err
	}
	total := make(map[string]int)
	for _, s := range stocks {
		for sku, n := range s.Count {
			total[sku] += n
		}
	}
	return total, nil
}

// 4: reorder what runs low, in a fixed order.

func Reorder(w *weft.Flow, stock map[string]int) (ordered []string, err error) {
	low := make([]string, 0, len(stock))
	for sku, n := range stock {
		if n < 10 {
			low = append(low, sku)
		}
	}
	sort.Slice(low, func(i, j int) bool {
		if stock[low[i]] != stock[low[j]] {
			return stock[low[i]] < stock[low[j]]
		}
		return low[i] < low[j]
	})
	for _, sku := range low {
		if _, err := reserve.Call(w, Line{SKU: sku, Count: 100 - stock[sku]}); errors.Is(err, errSoldOut) {
			continue
		} else if err != nil {
			return ordered, err
		}
		ordered = append(ordered, sku)
	}
	return ordered, nil
}

// 5: prices with discounts, in sorted order.

func Prices(w *weft.Flow, prices map[string]float64) ([]string, error) {
	keys := slices.Collect(maps.Keys(prices))
	slices.Sort(keys)
	var lines []string
	for _, k := range keys {
		lines = append(lines, fmt.Sprintf("%-20s %8.2f", k, prices[k]))
	}
	cheapest := math.Inf(1)
	for _, p := range prices {
		cheapest = min(cheapest, p)
	}
	text, err := json.Marshal(prices) // sorts the keys
	if err != nil {
		return nil, err
	}
	return append(lines, string(text), fmt.Sprint(cheapest)), nil
}
