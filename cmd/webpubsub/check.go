package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gowebpubsub/webpubsub/check"
	"github.com/gowebpubsub/webpubsub/internal/wire"
)

// checkFlags are the flags of webpubsub check, as they were typed.
type checkFlags struct {
	key, connectionString string
	hub, origin           string

	events, data []string

	user                   string
	query, offers, headers []string
	insecure               bool
	timeout, maxDuration   time.Duration

	only, skip []string
	severity   string

	junit   string
	list    bool
	verbose bool
}

func (a *app) checkCommand() *cobra.Command {
	var k checkFlags
	c := &cobra.Command{
		Use:   "check URL",
		Short: "Judge a handler by the rules of the service",
		Long:  helpText("check"),
		Args:  func(c *cobra.Command, args []string) error { return oneHandler(c, args, &k) },
		RunE: func(c *cobra.Command, args []string) error {
			if k.list {
				return a.listRules()
			}
			return a.check(c, args[0], &k)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&k.key, "key", "", "access key that signs")
	f.StringVar(&k.connectionString, "connection-string", "", "service and key that the handler knows")
	f.StringVar(&k.origin, "origin", "", "host of the service")
	f.StringVar(&k.hub, "hub", defaultHub, "hub of the clients")

	f.StringArrayVar(&k.events, "events", nil, "events that the handler serves")
	f.StringArrayVar(&k.data, "data", nil, "payload of a user event")
	f.StringVar(&k.user, "user", "", "user id of the client")
	f.StringArrayVar(&k.query, "query", nil, "query parameter of the client")
	f.StringArrayVar(&k.offers, "offer", nil, "subprotocol that the client offers")

	f.StringArrayVar(&k.headers, "header", nil, "further header of each request")
	f.BoolVar(&k.insecure, "insecure", false, "take any certificate")
	f.DurationVar(&k.timeout, "timeout", 5*time.Second, "time for each answer")
	f.DurationVar(&k.maxDuration, "max-duration", 55*time.Second, "time for the whole check")

	f.StringArrayVar(&k.only, "only", nil, "rules or areas to judge by")
	f.StringArrayVar(&k.skip, "skip", nil, "rules or areas to leave out")
	f.StringVar(&k.severity, "severity", check.Info.String(), "least severity of the rules")
	f.BoolVar(&k.list, "list", false, "list all rules")

	f.StringVar(&k.junit, "junit", "", "file for a JUnit report")
	f.BoolVar(&k.verbose, "verbose", false, "show every request")
	return c
}

func oneHandler(c *cobra.Command, args []string, k *checkFlags) error {
	if k.list {
		return onlyList(c.Flags(), args)
	}
	switch {
	case len(args) == 0:
		return &usageError{text: "the URL of the handler is missing", hint: "such as: webpubsub check http://localhost:3000/eventhandler"}
	case len(args) > 1:
		return &usageError{text: "there is more than the URL of one handler; what belongs to a flag needs quotes when it has spaces", hint: helpHint(c)}
	}
	target := strings.NewReplacer("{hub}", "hub", "{event}", "event").Replace(args[0])
	if u, err := url.Parse(target); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.Fragment == "" {
		return nil
	}
	e := &usageError{text: "what is given is not the URL of a handler", hint: "such as: webpubsub check http://localhost:3000/eventhandler"}
	if !strings.Contains(target, "://") {
		e.hint = "did you forget http:// in front of it?"
	}
	return e
}

// onlyList refuses what has no effect on the list of all rules.
func onlyList(flags *pflag.FlagSet, args []string) error {
	if len(args) > 0 {
		return usagef("--list lists the rules and checks nothing: leave out the URL")
	}
	var err error
	flags.Visit(func(f *pflag.Flag) {
		if f.Name != "list" && f.Name != "json" {
			err = usagef("--list lists all rules: leave out --%s", f.Name)
		}
	})
	return err
}

func (a *app) check(c *cobra.Command, target string, k *checkFlags) error {
	options, keyName, err := a.checkOptions(c.Flags(), k)
	if err != nil {
		return err
	}
	if err := options.Validate(); err != nil {
		return checkError(c.Context(), err)
	}
	junit, err := openJUnit(k.junit)
	if err != nil {
		return err
	}
	p := &checkPrinter{w: a.stdout, colors: a.colors(a.stdout), verbose: k.verbose, keyName: keyName}
	var progress checkProgress
	if !a.json {
		p.head(target, options)
		progress.begin(a)
		options.Observe = progress.observe
	}
	report, ended := check.Run(c.Context(), target, options)
	progress.end()
	if report == nil {
		junit.discard()
		return checkError(c.Context(), ended)
	}
	if a.json {
		err = a.printJSON(report)
	} else {
		err = p.report(report)
	}
	if failed := junit.write(report); err == nil {
		err = failed
	}
	switch {
	case err != nil:
		return err
	case ended != nil:
		return interrupted(c.Context())
	case !report.OK():
		return errReported
	}
	return nil
}

// checkError explains why nothing was judged.
func checkError(ctx context.Context, err error) error {
	if option, ok := errors.AsType[*check.OptionError](err); ok {
		return optionError(option)
	}
	if nobody, ok := errors.AsType[*check.UnreachableError](err); ok {
		return unreachable(nobody)
	}
	if ctx.Err() != nil {
		return interrupted(ctx)
	}
	return err
}

// flagOfOption are the flags whose names are not those of the options.
var flagOfOption = map[string]string{"Only and Skip": "--only and --skip"}

func optionError(e *check.OptionError) error {
	flag, ok := flagOfOption[e.Option]
	if !ok {
		flag = "--" + strings.ToLower(e.Option)
	}
	usage := &usageError{text: flag + ": " + e.Reason}
	if ok {
		usage.hint = "webpubsub check --list shows all rules; areas are the parts in front of the slash"
	}
	return usage
}

func unreachable(e *check.UnreachableError) error {
	reason, hint := e.Err, "is the application running there? In a container, localhost is the container itself"
	if op, ok := errors.AsType[*net.OpError](reason); ok {
		reason = op.Err
	}
	if noHost, ok := errors.AsType[*net.DNSError](reason); ok {
		reason, hint = errors.New(noHost.Err), "check the host in the URL"
	}
	return &failure{err: fmt.Errorf("%s cannot be reached: %w", wire.DisplayURL(e.Target), reason), hint: hint, code: exitUnreachable}
}
