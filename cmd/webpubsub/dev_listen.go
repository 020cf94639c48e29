package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"syscall"
)

// defaultListen is where the service is without --listen: at the port of
// Microsoft's emulator.
const defaultListen = "127.0.0.1:8080"

// An address is where the service listens.
type address struct {
	host  string // an IP address or localhost; empty for all interfaces
	port  uint16
	fixed bool // somebody asked for this port: no other will do
}

// parseAddress reads an address. The source is where it comes from.
func parseAddress(source, text string) (address, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return address{}, usagef("%s is %.100q, expected an address and a port such as %s", source, text, defaultListen)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return address{}, usagef("%s has the port %.20q, expected 0 to 65535", source, port)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && host != "localhost" {
		return address{}, usagef("%s has the host %.100q, expected an IP address of this machine, localhost, or nothing for all of them", source, host)
	}
	return address{host: host, port: uint16(number)}, nil
}

// private reports whether only this machine reaches the address.
func (a address) private() bool { return isLocal(a.host) }

// nextPorts is how many ports after a busy one are tried.
const nextPorts = 20

// listen opens the address. When the default port is busy it takes the next
// free one, and moved is true.
func (a address) listen() (listeners []net.Listener, moved bool, err error) {
	for i := range nextPorts {
		next := a
		next.port += uint16(i)
		listeners, err = next.open()
		if err == nil || a.fixed || !inUse(err) {
			break
		}
		moved = true
	}
	switch {
	case err == nil:
		return listeners, moved, nil
	case inUse(err):
		return nil, false, &failure{
			err:  fmt.Errorf("port %d is in use by another program", a.port),
			hint: "end that program, or choose another port with --listen " + net.JoinHostPort(a.host, "0"),
		}
	}
	hint := "--listen takes an address of this machine"
	if errors.Is(err, fs.ErrPermission) {
		hint = "ports below 1024 are for administrators: choose another with --listen " + defaultListen
	}
	return nil, false, &failure{err: err, hint: hint}
}

// open opens one port. Where it is that of localhost it is opened for IPv6 too,
// because some clients try that first, and would find nobody, or somebody else.
func (a address) open() ([]net.Listener, error) {
	host := a.host
	if host == "localhost" {
		host = "127.0.0.1"
	}
	first, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(int(a.port))))
	if err != nil || host != "127.0.0.1" {
		return []net.Listener{first}, err
	}
	second, err := net.Listen("tcp", net.JoinHostPort("::1", strconv.Itoa(portOf(first.Addr()))))
	switch {
	case err == nil:
		return []net.Listener{first, second}, nil
	case inUse(err) && a.port != 0:
		_ = first.Close()
		return nil, err
	}
	return []net.Listener{first}, nil // there is no IPv6 here
}

// endpoint returns the URL by which clients know a service that listens here.
func (a address) endpoint(scheme string, addr net.Addr) string {
	host := a.host
	if unspecified := host == "" || host == "0.0.0.0" || host == "::"; unspecified || isLocal(host) {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(portOf(addr)))
}

// inUse reports whether another program has a port. Windows has a number of its
// own for that, WSAEADDRINUSE, which package syscall does not know.
func inUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || runtime.GOOS == "windows" && errors.Is(err, syscall.Errno(10048))
}

func portOf(addr net.Addr) int { return addr.(*net.TCPAddr).Port }

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close()
	}
}
