package chat

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gowebpubsub/webpubsub/upstream"
)

// What is remembered.
const (
	maxRooms    = 100
	maxMessages = 50 // of each room, the last ones
	maxGone     = 1000
	maxLatest   = 5000
)

// errFull is a 4xx, because trying again in a second would not help.
var errFull = upstream.NewError(http.StatusConflict, fmt.Sprintf("all %d rooms are in use", maxRooms))

// rooms is what the chat remembers of its rooms, in the memory of one process
// and bounded. A room is remembered when somebody joins it or says something in
// it. When it is empty it stays, with its messages, until its place is needed;
// of several, the one goes that was in use longest ago. While there are people
// in all of them there is no further room: a group that somebody joins is not
// treated as one, and what somebody says there is refused.
//
// Each method may be called again for an event that comes again, and for one that
// a later event has overtaken: those that change something are told the event's
// id. None waits for anything, so no lock is held during a call of the service.
type rooms struct {
	mu     sync.Mutex // guards the fields below
	byName map[string]*room
	uses   int // counts what happens to rooms, to know what was longer ago

	// Connections that have ended, of late, the oldest first: an event of
	// theirs that was overtaken by disconnected must not bring them back.
	gone []string

	// The latest events that decided about something, and about what, that
	// which was decided first of all the first.
	latest  map[subject]uint64
	decided []subject
}

// A subject is what an event decides about: whether a connection is in a room,
// or which name it has, in all of them.
type subject struct{ connection, room string }

// A room is guarded by the mutex of its rooms.
type room struct {
	people   map[string]string // names by connection id
	untold   map[string]bool   // connections that have left, which the others may not know
	version  int               // counts the changes of people
	messages []message         // the oldest first
	number   int               // of the last message
	used     int               // the count of uses when it was last in use
}

func newRooms() *rooms {
	return &rooms{byName: map[string]*room{}, latest: map[subject]uint64{}}
}

// join puts a connection into a room, and returns its name: that of a later
// rename, if there was one. It reports false when the event comes too late, the
// connection has ended, or the group is no room or there is no place for one.
func (r *rooms) join(name, id, userName, eventID string) (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if checkRoom(name) != nil || slices.Contains(r.gone, id) || r.late(subject{id, name}, eventID) {
		return "", false
	}
	room := r.open(name)
	if room == nil {
		return "", false
	}
	if _, there := room.people[id]; !there {
		room.people[id] = userName
		room.version++
	}
	return room.people[id], true
}

// late reports whether a later event has decided about something, and notes the
// event otherwise. The ids of the events of a connection rise; where they are no
// numbers, nothing is known of what is late. r.mu is held.
func (r *rooms) late(about subject, eventID string) bool {
	id, err := strconv.ParseUint(eventID, 10, 64)
	if err != nil {
		return false
	}
	latest, known := r.latest[about]
	if known && id < latest {
		return true
	}
	if !known {
		r.decided = append(r.decided, about)
	}
	r.latest[about] = id
	if len(r.decided) > maxLatest {
		delete(r.latest, r.decided[0])
		r.decided = slices.Delete(r.decided, 0, 1)
	}
	return false
}

// open returns a room, a new one if need be, or nil when there is no place.
// r.mu is held.
func (r *rooms) open(name string) *room {
	r.uses++
	if _, ok := r.byName[name]; !ok {
		if len(r.byName) >= maxRooms && !r.dropEmpty() {
			return nil
		}
		r.byName[name] = &room{people: map[string]string{}, untold: map[string]bool{}}
	}
	room := r.byName[name]
	room.used = r.uses
	return room
}

// dropEmpty forgets the empty room that was in use longest ago, and reports
// whether there was one. r.mu is held.
func (r *rooms) dropEmpty() bool {
	oldest := ""
	for name, room := range r.byName {
		if len(room.people) == 0 && (oldest == "" || room.used < r.byName[oldest].used) {
			oldest = name
		}
	}
	delete(r.byName, oldest)
	return oldest != ""
}

// look returns what there is to see in a room.
func (r *rooms) look(name string) view {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := view{People: []person{}, Messages: []message{}}
	room := r.byName[name]
	if room == nil {
		return v
	}
	for id, userName := range room.people {
		v.People = append(v.People, person{id, userName})
	}
	slices.SortFunc(v.People, func(a, b person) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	v.Messages = append(v.Messages, room.messages...)
	v.version = room.version
	return v
}

// add adds a message to a room and returns it with its number and time; one
// with the same id that is there already is returned instead. The error is
// errFull.
func (r *rooms) add(name string, m message) (message, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.open(name)
	if room == nil {
		return message{}, errFull
	}
	if i := slices.IndexFunc(room.messages, func(old message) bool { return old.ID == m.ID }); i >= 0 {
		return room.messages[i], nil
	}
	room.number++
	m.Number, m.Time = room.number, time.Now().UTC().Truncate(time.Millisecond)
	if len(room.messages) == maxMessages {
		room.messages = slices.Delete(room.messages, 0, 1)
	}
	room.messages = append(room.messages, m)
	return m, nil
}

// rename gives a connection another name and returns the rooms that it is in. It
// reports false when the event comes too late.
func (r *rooms) rename(id, userName, eventID string) (names []string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.late(subject{connection: id}, eventID) {
		return nil, false
	}
	for name, room := range r.byName {
		if _, there := room.people[id]; there {
			room.people[id] = userName
			room.version++
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, true
}

// list returns the rooms by name.
func (r *rooms) list() []roomSize {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]roomSize, 0, len(r.byName))
	for _, name := range slices.Sorted(maps.Keys(r.byName)) {
		all = append(all, roomSize{name, len(r.byName[name].people)})
	}
	return all
}

// leave takes a connection out of a room. It reports whether the others have
// to be told: from when it was there until told is called, unless the event
// comes too late.
func (r *rooms) leave(name, id, eventID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.byName[name]
	if room == nil || r.late(subject{id, name}, eventID) {
		return false
	}
	if _, there := room.people[id]; there {
		delete(room.people, id)
		room.untold[id] = true
		room.version++
		r.uses++
		room.used = r.uses
	}
	return room.untold[id]
}

// told notes that those in a room know that a connection has left.
func (r *rooms) told(name, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if room := r.byName[name]; room != nil {
		delete(room.untold, id)
	}
}

// disconnect keeps a connection from coming back, and returns the rooms that
// it is still to be taken out of.
func (r *rooms) disconnect(id string) (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.gone, id) {
		r.gone = append(r.gone, id)
	}
	if len(r.gone) > maxGone {
		for _, room := range r.byName {
			delete(room.untold, r.gone[0]) // nobody will ask any more
		}
		r.gone = slices.Delete(r.gone, 0, 1)
	}
	for name, room := range r.byName {
		if _, there := room.people[id]; there || room.untold[id] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
