package webpubsub

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/gowebpubsub/webpubsub/internal/wire"
)

func checkHub(hub string) error {
	if !wire.ValidHub(hub) {
		return fmt.Errorf("hub %.130q: a name starts with a letter and goes on with up to 127 letters, digits and any of _`,.[]", hub)
	}
	return nil
}

func checkConnection(id string) error { return checkName("connection id", id) }

func checkUser(id string) error { return checkName("user id", id) }

// checkGroup checks the name of a group that becomes a segment of a path.
func checkGroup(group string) error {
	return cmp.Or(checkGroupName(group), checkName("group name", group))
}

// checkGroupName checks the name of a group that travels elsewhere.
func checkGroupName(group string) error {
	if !wire.ValidGroup(group) {
		return fmt.Errorf("a group name is blank or has more than %d characters", wire.MaxGroupName)
	}
	return nil
}

func checkGroupNames(groups []string) error {
	for _, g := range groups {
		if err := checkGroupName(g); err != nil {
			return err
		}
	}
	return nil
}

// checkName checks a name that becomes a segment of a path. Two names cannot:
// whatever way they are escaped, clients, proxies and servers take them for
// steps in the path, and a message to the group ".." would go to the whole hub.
func checkName(what, name string) error {
	switch name {
	case "":
		return fmt.Errorf("the %s is empty", what)
	case ".", "..":
		return fmt.Errorf("the %s %q cannot be addressed: in a URL it is a step in the path", what, name)
	}
	return nil
}

func checkExcluded(ids []string) error {
	if slices.Contains(ids, "") {
		return errors.New("option Excluded has an empty connection id")
	}
	return nil
}
