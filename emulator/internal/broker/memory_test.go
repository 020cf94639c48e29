package broker_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gowebpubsub/webpubsub/emulator/internal/broker"
	"github.com/gowebpubsub/webpubsub/emulator/internal/broker/brokertest"
)

func TestMemory(t *testing.T) {
	brokertest.Run(t, func(*testing.T) (a, b broker.Broker) {
		m := &broker.Memory{}
		return m, m
	})
}

func TestMerge(t *testing.T) {
	a := broker.Reply{Count: 1, Members: []broker.Member{{ConnectionID: "a"}, {ConnectionID: "c"}}}
	b := broker.Reply{Count: 2, Full: true, Members: []broker.Member{{ConnectionID: "b", UserID: "bob"}}}
	want := broker.Reply{Count: 3, Full: true, Members: []broker.Member{{ConnectionID: "a"}, {ConnectionID: "b", UserID: "bob"}, {ConnectionID: "c"}}}
	for _, got := range []broker.Reply{a.Merge(b), b.Merge(a)} {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("replies differ (-want +got):\n%s", diff)
		}
	}
	if len(a.Members) != 2 || len(b.Members) != 1 {
		t.Error("merging changed a reply")
	}
	if got := a.Merge(broker.Reply{}); !cmp.Equal(got, a) {
		t.Errorf("with nothing: got %+v, want %+v", got, a)
	}
}
