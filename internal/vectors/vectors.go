// Package vectors holds known answers for the upstream protocol of Azure Web
// PubSub: signatures, connection state, MQTT codes, media types, origins and
// connection strings. Tests of several packages run them; nothing else imports
// this package.
//
// The source of a value is named beside it. DOC and OLDSPEC are Microsoft's
// documents, JS, PY, NET and FN the public test suites of its libraries. Where
// those disagree with each other, the member "ours" tells what is right here.
package vectors

import (
	_ "embed"
	"encoding/json"
	"sync"
)

//go:embed vectors.json
var file []byte

// Vectors are all known answers, by group.
type Vectors struct {
	Signatures struct {
		Cases []Signature
	}
	ConnectionState struct {
		Clear struct {
			Header string
		}
		Encodings []StateEncoding
		Reads     struct {
			Cases []StateRead
		}
	}
	MQTT struct {
		ConnectCodeToHTTPStatus struct {
			UnknownCode struct {
				Ours int
			}
			Cases []MQTTCode
		}
		HTTPStatusToConnectCode struct {
			Cases []MQTTStatus
		}
		DisconnectReasonCodes []MQTTReason
		Bodies                []MQTTBody
	}
	MediaTypes struct {
		Request struct {
			Cases []MediaTypeRequest
		}
		Response struct {
			Cases []MediaTypeResponse
		}
		ServiceReply struct {
			Cases []ServiceReply
		}
		ServiceRequest struct {
			Cases []ServiceRequest
		}
	}
	Origins struct {
		Parse struct {
			Cases []OriginParse
		}
		ConfiguredToHost struct {
			Cases []OriginConfigured
		}
		Handshake struct {
			Cases []Handshake
		}
	}
	ConnectionStrings struct {
		Errors []string
		Cases  []ConnectionString
	}
}

// Signature says whether a ce-signature header is valid.
type Signature struct {
	ID           string
	Keys         []string
	ConnectionID string
	Header       []string // its lines as received, none when it is absent
	Valid        bool
}

// StateEncoding is a connection state as an SDK writes it.
type StateEncoding struct {
	ID      string
	Dialect string // js, python or dotnet
	Header  string
	Value   json.RawMessage
	// ReadByDotnetHex has the bytes of each value in hex. It is empty when
	// .NET cannot read the state.
	ReadByDotnetHex map[string]string
}

// StateRead says what a received connection state is. Ours is "absent",
// "empty", "opaque" or the object to read.
type StateRead struct {
	ID     string
	Header *string // nil when it is absent
	Ours   json.RawMessage
}

// MQTTCode is the HTTP status that goes with a connect code.
type MQTTCode struct {
	ProtocolVersion int
	Code            int
	Name            string
	Ours            int
}

// MQTTStatus is the connect code that goes with an HTTP status.
type MQTTStatus struct {
	ProtocolVersion int
	Status          int
	Ours            int
}

// MQTTReason names a reason code of DISCONNECT.
type MQTTReason struct {
	Code int
	Name string
}

// MQTTBody is a whole answer to an MQTT connect.
type MQTTBody struct {
	ID              string
	ProtocolVersion int
	Status          int
	Body            json.RawMessage
}

// MediaTypeRequest says what the Content-Type of a user event means.
type MediaTypeRequest struct {
	ID          string
	ContentType *string // nil when it is absent
	DataType    string
	MediaType   string
}

// MediaTypeResponse is the Content-Type of an answer.
type MediaTypeResponse struct {
	DataType    *string // nil when there is no data
	Status      int
	ContentType *string
}

// ServiceReply says what the service makes of an answer to a user event.
type ServiceReply struct {
	ID             string
	Status         int
	ContentType    *string
	Body           string
	Outcome        string // none, message or failure
	DataType       *string
	JSONClientData json.RawMessage
	SimpleFrame    *string
}

// ServiceRequest is the Content-Type that the service gives to client data.
type ServiceRequest struct {
	Client      string // simple or pubsub
	Frame       string // of a simple client
	DataType    string // of a pubsub client
	ContentType string
}

// OriginParse splits a WebHook-Request-Origin header.
type OriginParse struct {
	ID     string
	Header []string
	Tokens []string
}

// OriginConfigured is the host of a configured endpoint, nil when it has none.
type OriginConfigured struct {
	Configured string
	Host       *string
}

// Handshake is one request for consent and its answer. Allow is nil when
// origins are not restricted, Status when the request is no handshake.
type Handshake struct {
	ID            string
	Method        string
	Allow         []string
	Header        []string
	CEAWPSVersion *string
	Status        *int
	AllowedOrigin []string
}

// ConnectionString is a connection string and what it says, or the code of its
// error.
type ConnectionString struct {
	ID        string
	Input     string
	OK        bool
	Endpoint  string
	Scheme    string
	Host      string
	Port      int
	AccessKey string
	Error     string
}

// Load returns the vectors. They are shared: do not change them.
var Load = sync.OnceValue(func() *Vectors {
	v := &Vectors{}
	if err := json.Unmarshal(file, v); err != nil {
		panic("vectors: " + err.Error())
	}
	return v
})
