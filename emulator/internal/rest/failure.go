package rest

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
)

// The headers of answers that only this API has.
const (
	headerErrorCode         = "X-Ms-Error-Code"
	headerSupportedVersions = "Api-Supported-Versions"
)

// The codes of errors. A recording of the service shows the one of permissions,
// its emulator the others of missing connections, groups and users, of conflicts
// and of bad requests; the rest are ours in their style.
const (
	codeBadRequest           = "Error.BadRequest"
	codeUnauthorized         = "Error.Unauthorized"
	codeNotFound             = "Error.NotFound"
	codeMethodNotAllowed     = "Error.MethodNotAllowed"
	codeConflict             = "Error.Connection.Conflict"
	codePayloadTooLarge      = "Error.PayloadTooLarge"
	codeUnsupportedMediaType = "Error.UnsupportedMediaType"
	codeInternal             = "Error.InternalServerError"

	codeNoConnection           = "Warning.Connection.NotExisted"
	codeNoGroup                = "Warning.Group.NotExisted"
	codeNoUser                 = "Warning.User.NotExisted"
	codeNoConnectionToJoin     = "Error.Connection.NotExisted"
	codeNoConnectionPermission = "Info.Connection.NotExisted"
)

// A failure is why a request has no success. The message is for the caller,
// the cause for the log.
type failure struct {
	status  int
	code    string
	message string
	target  string
	allow   []string // the methods to name with 405
	level   slog.Level
	cause   error
}

func (f *failure) Error() string {
	if f.cause == nil {
		return f.message
	}
	return f.message + " " + f.cause.Error()
}

func badRequest(target, format string, args ...any) *failure {
	return &failure{
		status: http.StatusBadRequest, code: codeBadRequest, level: slog.LevelWarn,
		message: fmt.Sprintf(format, args...), target: target,
	}
}

func unauthorized(cause error) *failure {
	return &failure{
		status: http.StatusUnauthorized, code: codeUnauthorized, level: slog.LevelWarn,
		message: "The request needs a valid access token for its URL.", target: "Authorization", cause: cause,
	}
}

func unknownPath() *failure {
	return &failure{
		status: http.StatusNotFound, code: codeNotFound, level: slog.LevelWarn,
		message: "The REST API has no such path.", target: "path",
	}
}

func wrongMethod(allowed []string) *failure {
	return &failure{
		status: http.StatusMethodNotAllowed, code: codeMethodNotAllowed, level: slog.LevelWarn,
		message: fmt.Sprintf("This path takes %s only.", strings.Join(allowed, ", ")), target: "method", allow: allowed,
	}
}

// notExisted answers a question or a wish about something that is not there.
// That is no mistake of the caller.
func notExisted(code, kind, name string) *failure {
	return &failure{
		status: http.StatusNotFound, code: code, level: slog.LevelDebug,
		message: fmt.Sprintf("%s `%s` is not found.", kind, name), target: kind,
	}
}

func tooManyPermissions(connection string) *failure {
	return &failure{
		status: http.StatusConflict, code: codeConflict, level: slog.LevelWarn,
		message: fmt.Sprintf("Connection `%s` has as many rules of single permissions as it may have.", connection), target: "Connection",
	}
}

func tooLarge(limit int64) *failure {
	return &failure{
		status: http.StatusRequestEntityTooLarge, code: codePayloadTooLarge, level: slog.LevelWarn,
		message: fmt.Sprintf("The request body is longer than %d bytes.", limit), target: "body",
	}
}

func unsupported(target, format string, args ...any) *failure {
	return &failure{
		status: http.StatusUnsupportedMediaType, code: codeUnsupportedMediaType, level: slog.LevelWarn,
		message: fmt.Sprintf(format, args...), target: target,
	}
}
