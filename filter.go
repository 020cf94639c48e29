package webpubsub

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Filter puts values into a filter, in the place of its question marks:
//
//	webpubsub.Filter("userId ne ? and ? in groups", user, group)
//
// Strings get their quotes and cannot break out of them, whatever they
// contain, so use Filter for all that comes from elsewhere. Values are strings,
// booleans and integers, and nil for null, which is the user id of an
// anonymous connection. Question marks inside quotes are text.
//
// Filter panics when the number of values is another than that of question
// marks, when a value is of another type, and when a quote is not closed.
//
// Filters are OData expressions on userId, connectionId and groups, with the
// operators eq, ne, gt, ge, lt, le, in, and, or, not, and functions such as
// startswith(userId, ?). The service refuses a malformed one with status 400.
// See reference-odata-filter in the documentation of Azure Web PubSub.
func Filter(template string, values ...any) string {
	var b strings.Builder
	used, quoted := 0, false
	for i := range len(template) {
		c := template[i]
		if c == '\'' {
			quoted = !quoted
		}
		if c != '?' || quoted {
			b.WriteByte(c)
			continue
		}
		if used < len(values) {
			b.WriteString(literal(values[used]))
		}
		used++
	}
	if used != len(values) {
		panic(fmt.Sprintf("webpubsub: Filter with %d values for %d question marks", len(values), used))
	}
	if quoted {
		panic("webpubsub: Filter with a quote that is not closed")
	}
	return b.String()
}

// literal writes a value as OData does.
func literal(value any) string {
	if value == nil {
		return "null"
	}
	v := reflect.ValueOf(value)
	switch {
	case v.Kind() == reflect.String:
		return "'" + strings.ReplaceAll(v.String(), "'", "''") + "'"
	case v.Kind() == reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10)
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10)
	}
	panic(fmt.Sprintf("webpubsub: Filter with a %T; strings, booleans, integers and nil are possible", value))
}
