package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/engine/commitlog/disk"
	"github.com/weftworks/weft/fault"
)

// logDir is where a data directory has its commit log.
const logDir = "log"

const logHelp = `Look at the commit log of a data directory that no process has open.

After a crash the log may end in a record that was never whole; opening it cuts that off by itself. Damage
anywhere else (a failing disk, a file edited or lost) is refused: verify says where it is, and repair
cuts the log there, keeping a copy of what it cuts.`

func (a *app) logCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "log",
		Short: "Check and repair the commit log of a data directory",
		Long:  logHelp,
	})
	cmd.AddCommand(a.logVerify(), a.logRepair())
	return cmd
}

// logFlags are the flags of the log commands.
type logFlags struct {
	data      string
	json, yes bool
}

func (f *logFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.data, "data", "", "data `DIR`, not in use by another process")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the report as JSON")
}

// dir returns the log's directory, if there is one.
func (f *logFlags) dir() (string, error) {
	if f.data == "" {
		return "", usage("--data is missing: name the data directory")
	}
	dir := filepath.Join(f.data, logDir)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", fault.New("", fault.ResourceNotFound, f.data, "this is no data directory of Weft: it has no directory %q", logDir)
	}
	return dir, nil
}

// exclusively calls fn with the log's directory. It refuses a data directory that another process, such as a server,
// has open, and keeps others out meanwhile.
func (f *logFlags) exclusively(fn func(dir string) error) error {
	dir, err := f.dir()
	if err != nil {
		return err
	}
	lock, err := vfs.Default.Lock(filepath.Join(f.data, "LOCK"))
	if err != nil {
		return fault.New("", fault.Conflict, f.data, "the data directory is in use by another process; stop it first: %w", err)
	}
	defer lock.Close()
	return fn(dir)
}

func (a *app) logVerify() *cobra.Command {
	var f logFlags
	cmd := &cobra.Command{
		Use:   "verify --data DIR",
		Short: "Read the whole log and report what does not check; changes nothing",
		Args:  args(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			return f.exclusively(func(dir string) error { return a.verify(f, dir) })
		},
	}
	f.add(cmd)
	return cmd
}

// verify reports what does not check.
func (a *app) verify(f logFlags, dir string) error {
	report, err := disk.Verify(vfs.Default, dir)
	if err != nil {
		return err
	}
	if f.json {
		err = (&remote{app: a}).object(verifyJSON(report))
	} else {
		err = a.printVerify(report)
	}
	if err != nil || len(report.Problems) == 0 {
		return err
	}
	a.note("the log is damaged; to keep everything before the first problem run: weft log repair --data %s", quoteSh(f.data))
	return reported(fault.Corrupt)
}

func (a *app) printVerify(r *disk.Report) error {
	t := console.Table{Header: []string{"SEGMENT", "ENTRIES", "FRAMES", "USED", "SIZE"}, Style: a.outStyle(),
		Right: map[int]bool{1: true, 2: true, 3: true, 4: true}}
	for _, s := range r.Segments {
		t.Add(filepath.Base(s.File), console.Number(s.Entries), console.Number(int64(s.Frames)), console.Number(s.End), console.Number(s.Size))
	}
	if t.Len() > 0 {
		if _, err := t.WriteTo(a.Out); err != nil {
			return err
		}
	}
	for _, p := range r.Problems {
		text := fmt.Sprintf("%s: offset %d: %s", p.File, p.Offset, p.What)
		if p.Lost > 0 {
			text += fmt.Sprintf(" (%s after it can still be read)", entries(p.Lost))
		}
		if _, err := fmt.Fprintln(a.Out, console.Clean(text)); err != nil {
			return err
		}
	}
	if r.Torn {
		a.note("the log ends in a record that is not whole, the trace of a crash; it was never acknowledged and opening the log cuts it off")
	}
	if len(r.Problems) == 0 {
		a.note("the log is sound: %s", entries(r.Entries))
	}
	return nil
}

// logProblem is what --json prints for a place that does not check.
type logProblem struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	What   string `json:"what"`
	Lost   int64  `json:"lost"`
}

func problemsJSON(problems []disk.Problem) []logProblem {
	out := make([]logProblem, len(problems))
	for i, p := range problems {
		out[i] = logProblem(p)
	}
	return out
}

func verifyJSON(r *disk.Report) any {
	type segment struct {
		File    string `json:"file"`
		Entries int64  `json:"entries"`
		Frames  int    `json:"frames"`
		Used    int64  `json:"used_bytes"`
		Size    int64  `json:"size_bytes"`
	}
	segments := make([]segment, len(r.Segments))
	for i, s := range r.Segments {
		segments[i] = segment{s.File, s.Entries, s.Frames, s.End, s.Size}
	}
	return struct {
		Sound    bool         `json:"sound"`
		Torn     bool         `json:"torn"`
		Entries  int64        `json:"entries"`
		Segments []segment    `json:"segments"`
		Problems []logProblem `json:"problems"`
	}{len(r.Problems) == 0, r.Torn, r.Entries, segments, problemsJSON(r.Problems)}
}

func entries(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return console.Number(n) + " entries"
}

func (a *app) logRepair() *cobra.Command {
	var f logFlags
	cmd := &cobra.Command{
		Use:   "repair --data DIR [--yes]",
		Short: "Cut a damaged log at the damage, keeping a copy of what is cut",
		Long: `Cut a damaged log at the first place that does not check, so that the directory opens again with everything
before. What is cut was durable once: clients may have seen results that will be gone. Copies of the files
that lose something are put aside. Without --yes it only says what it would do.`,
		Args: args(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			return f.exclusively(func(dir string) error { return a.repair(f, dir) })
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.yes, "yes", false, "do it")
	return cmd
}

func (a *app) repair(f logFlags, dir string) error {
	report, err := disk.Verify(vfs.Default, dir)
	if err != nil {
		return err
	}
	if len(report.Problems) == 0 {
		a.note("the log is sound: %s; nothing to repair", entries(report.Entries))
		return nil
	}
	if !f.yes {
		if err := a.printVerify(report); err != nil {
			return err
		}
		a.note("would cut the log at the first problem. Do it with: weft log repair --data %s --yes", quoteSh(f.data))
		return reported(fault.Corrupt)
	}
	done, err := disk.Repair(vfs.Default, dir)
	if err != nil {
		return err
	}
	if f.json {
		return (&remote{app: a}).object(map[string]any{"problems": problemsJSON(done.Problems), "lost": done.Lost, "aside": done.Aside})
	}
	for _, path := range done.Aside {
		if _, err := fmt.Fprintln(a.Out, path); err != nil {
			return err
		}
	}
	a.note("cut the log at the damage; %s that could still be read are gone from it; what was cut is kept in the files above", entries(done.Lost))
	return nil
}
