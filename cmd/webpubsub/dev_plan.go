package main

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/gowebpubsub/webpubsub/emulator"
	"github.com/gowebpubsub/webpubsub/internal/settingsfile"
)

// A plan is what webpubsub dev is to do, when flags, environment and file have
// been put together.
type plan struct {
	flags   *devFlags
	address address
	options emulator.Options // without Endpoint, Logger and Observe
	tls     bool
	file    *settingsfile.File // as it was at the start
	notes   []string           // what somebody at the terminal should know

	inspector bool // whether to serve it
}

// plan puts flags, environment and file together. Flags win over the
// environment, and that over the file.
func (a *app) plan(flags *pflag.FlagSet, d *devFlags, config configuration) (*plan, error) {
	p := &plan{flags: d, tls: d.tls}
	for _, hub := range d.hubs {
		if err := checkHub(hub); err != nil {
			return nil, err
		}
	}
	for _, step := range []func() error{
		func() error { return p.setAddress(flags) },
		func() error { return p.setDelivery() },
		func() error { return p.setConfig(flags, config) },
		func() error { return a.useEnvironment(p, flags) },
		func() error { return p.setKeys(flags) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	p.options.AllowedHosts, p.options.AllowedOrigins = d.allowHosts, d.allowOrigins
	p.setInspector(flags)
	return p, nil
}

func (p *plan) setAddress(flags *pflag.FlagSet) (err error) {
	p.address, err = parseAddress("--listen", p.flags.listen)
	p.address.fixed = flags.Changed("listen")
	return err
}

// setDelivery reads --retry and --timeout.
func (p *plan) setDelivery() error {
	if p.flags.timeout <= 0 {
		return usagef("--timeout: expected a time to wait, such as 30s")
	}
	p.options.Delivery = emulator.Delivery{Timeout: p.flags.timeout, RetryDelays: []time.Duration{}}
	if p.flags.retry == "none" {
		return nil
	}
	for text := range strings.SplitSeq(p.flags.retry, ",") {
		delay, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil || delay < 0 {
			return usagef("--retry is %.100q, expected none, or pauses with commas between them, such as 1s,3s,5s", p.flags.retry)
		}
		p.options.Delivery.RetryDelays = append(p.options.Delivery.RetryDelays, delay)
	}
	return nil
}

// useEnvironment takes key and port from the connection string that the
// application has in its environment, if that names this machine: the
// application then finds the service without being told. The key of a resource
// in Azure has no business here.
func (a *app) useEnvironment(p *plan, flags *pflag.FlagSet) error {
	c, err := a.connection("")
	if err != nil || c.source == "" {
		return err
	}
	if !isLocal(c.Host) {
		p.note("%s names %s and is not used here: give your application the connection string below", c.source, c.Host)
		return nil
	}
	if !flags.Changed("listen") {
		p.address.port, p.address.fixed = uint16(c.Port), true
	}
	if c.Scheme == "https" && !p.tls {
		p.note("%s says https: start with --tls, or make it http", c.source)
	}
	p.options.AccessKey = c.AccessKey
	return nil
}

func (p *plan) setKeys(flags *pflag.FlagSet) error {
	for _, key := range []struct {
		flag, value string
		into        *string
	}{
		{"key", p.flags.key, &p.options.AccessKey},
		{"secondary-key", p.flags.secondaryKey, &p.options.SecondaryAccessKey},
	} {
		if flags.Changed(key.flag) {
			if len(key.value) < emulator.MinAccessKeyBytes {
				return usagef("--%s has %s, expected at least %d", key.flag, quantity(len(key.value), "byte"), emulator.MinAccessKeyBytes)
			}
			*key.into = key.value
		}
	}
	return nil
}

// setInspector leaves the inspector out where others than the developer could
// look at it, unless it is asked for.
func (p *plan) setInspector(flags *pflag.FlagSet) {
	p.inspector = p.flags.inspector
	if p.inspector && !flags.Changed("inspector") && !p.address.private() {
		p.inspector = false
		p.note("there is no inspector, because others could look at it: start with --inspector if they may")
	}
}

// merge lays the flags over the settings of a file.
func (p *plan) merge(settings emulator.Settings) emulator.Settings {
	d := p.flags
	settings.Hubs = maps.Clone(settings.Hubs)
	if settings.Hubs == nil {
		settings.Hubs = map[string]emulator.HubSettings{}
	}
	change := func(s emulator.HubSettings) emulator.HubSettings {
		s.AllowAnonymous = s.AllowAnonymous || d.anonymous
		s.CloseOnEventFailure = s.CloseOnEventFailure || d.closeOnEventFailure
		return s
	}
	for name, hub := range settings.Hubs {
		settings.Hubs[name] = change(hub)
	}
	settings.Default = change(settings.Default)
	if d.upstream == "" {
		return settings
	}
	if len(d.hubs) == 0 {
		settings.Default.EventHandlers = []emulator.EventHandler{p.handler()}
	}
	for _, name := range d.hubs {
		for other := range settings.Hubs { // hubs have no case
			if strings.EqualFold(other, name) && other != name {
				settings.Hubs[name] = settings.Hubs[other]
				delete(settings.Hubs, other)
			}
		}
		hub, ok := settings.Hubs[name]
		if !ok {
			hub = settings.Default
		}
		hub.EventHandlers = []emulator.EventHandler{p.handler()}
		settings.Hubs[name] = hub
	}
	return settings
}

// handler is the handler of --upstream: it takes everything, but group events
// only when asked to. Handlers that are older than these answer 404.
func (p *plan) handler() emulator.EventHandler {
	h := emulator.EventHandler{
		URLTemplate:      p.flags.upstream,
		SystemEvents:     []string{"connect", "connected", "disconnected"},
		UserEventPattern: "*",
	}
	if p.flags.groupEvents {
		h.GroupEvents = []string{"joined", "left"}
	}
	return h
}

// clientHub is the hub of the printed client URL.
func (p *plan) clientHub() string {
	hubs := slices.Sorted(maps.Keys(p.options.Settings.Hubs))
	return cmp.Or(slices.Concat(p.flags.hubs, hubs, []string{defaultHub})...)
}

// onlyHub returns the name of the hub if it is clear that there is only one.
func (p *plan) onlyHub() string {
	if len(p.options.Settings.Hubs) > 1 || len(p.flags.hubs) > 1 {
		return ""
	}
	return p.clientHub()
}

// endpoint returns the URL by which clients know the service.
func (p *plan) endpoint(addr net.Addr) string {
	if p.tls {
		return p.address.endpoint("https", addr)
	}
	return p.address.endpoint("http", addr)
}

// certificateHosts are the names that a certificate has to have.
func (p *plan) certificateHosts(endpoint string) []string {
	hosts := slices.DeleteFunc(slices.Clone(p.flags.allowHosts), func(host string) bool { return host == "*" })
	return append(hosts, endpoint)
}
