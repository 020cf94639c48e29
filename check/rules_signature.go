package check

import (
	"fmt"
	"strings"

	"github.com/gowebpubsub/webpubsub/internal/wire"
	"github.com/gowebpubsub/webpubsub/upstream/upstreamtest"
)

const (
	sourceSignature = sourceCloudEvents + ", Attributes (signature)"

	fixSignature = "Compute HMAC-SHA256 over ce-connectionId, with the access key as it is printed (UTF-8, not base64-decoded) as the key, and refuse with 401 unless the whole of a sha256= token in ce-signature is its hex form."
)

var signatureRules = []Rule{
	{
		ID:       "signature/accepted",
		Title:    "The handler accepts what the service signs",
		Severity: Must,
		Source:   sourceSignature,
		Reason:   "A handler that cannot verify the service's signature lets no client in and hears of no event.",
		Fix:      "Check with the key that the handler verifies with; if that is so already, compute HMAC-SHA256 over ce-connectionId with the access key as it is printed, not base64-decoded, in lower-case hex after sha256=.",
		judge:    judgeSigned,
	},
	{
		ID:       "signature/rotation",
		Title:    "The handler finds the right signature among two",
		Severity: Must,
		Source:   sourceSignature + "; behaviour of Microsoft's SDKs, which split at commas and spaces",
		Reason:   "The service signs with the primary and the secondary key of a resource, and the handler may know only one of them, above all while keys rotate.",
		Fix:      "Split ce-signature at commas, trim each token, and accept when any of them matches.",
		needs:    []need{needSample},
		judge:    judgeRotation,
	},
	{
		ID:       "signature/missing",
		Title:    "The handler refuses events without a signature",
		Severity: Must,
		Source:   sourceSignature,
		Reason:   "Anybody who knows the URL can act as any user otherwise; only a resource without access keys sends none, and then the handler needs another proof, such as a bearer token.",
		Fix:      fixSignature,
		Hostile:  true,
		needs:    []need{needSample},
		judge: func(s *session) finding {
			return s.wantProof("without a signature", upstreamtest.NoSignature)
		},
	},
	{
		ID:       "signature/forged",
		Title:    "The handler refuses events that are signed with another key",
		Severity: Must,
		Source:   sourceSignature,
		Reason:   "Anybody who knows the URL can act as any user otherwise: a signature that is there and is not compared proves nothing.",
		Fix:      fixSignature,
		Hostile:  true,
		needs:    []need{needSample},
		judge: func(s *session) finding {
			return s.wantProof("signed with a key that nobody has", upstreamtest.BadSignature)
		},
	},
	{
		ID:       "signature/partial",
		Title:    "The handler compares whole signatures",
		Severity: Must,
		Source:   sourceSignature,
		Reason:   "What accepts the beginning of a signature accepts an empty one, which anybody can make.",
		Fix:      fixSignature,
		Hostile:  true,
		needs:    []need{needSample},
		judge: func(s *session) finding {
			return s.wantNoProof(
				forgery{"a ce-signature without a token", func(string) string { return "," }},
				forgery{"sha256= and nothing behind it", func(string) string { return "sha256=" }},
				forgery{"half of the right signature", s.half},
			)
		},
	},
	{
		ID:       "signature/other-connection",
		Title:    "The handler refuses the signature of another connection",
		Severity: Must,
		Source:   sourceSignature,
		Reason:   "Whoever has seen one event could act as every other client.",
		Fix:      "Compute the signature over the ce-connectionId of this very event, the one that the handler then works with.",
		Hostile:  true,
		needs:    []need{needSample},
		judge:    judgeOtherConnection,
	},
	{
		ID:       "signature/empty-key",
		Title:    "The handler takes no key for a key that is not set",
		Severity: Must,
		Source:   "derived: anybody can sign with a key that is empty",
		Reason:   "A secondary key that is not configured becomes a key that everybody knows.",
		Fix:      "Leave keys out that are empty or not set, and do not start without any.",
		Hostile:  true,
		needs:    []need{needSample},
		judge: func(s *session) finding {
			var forgeries []forgery
			for _, key := range []string{"", "undefined", "null", "None"} {
				forgeries = append(forgeries, forgery{fmt.Sprintf("the key %q", key), func(id string) string { return wire.Sign(id, key) }})
			}
			return s.wantNoProof(forgeries...)
		},
	},
	{
		ID:       "signature/public-key",
		Title:    "The handler does not take the public key of local services beside its own",
		Severity: Should,
		Source:   "derived: the key is printed in the documents of Microsoft's emulator",
		Reason:   "In production, anybody can sign with it.",
		Fix:      "Configure the key of the local service for development only.",
		Hostile:  true,
		needs:    []need{needSample},
		judge: func(s *session) finding {
			if s.opts.AccessKey == upstreamtest.AccessKey {
				return open("the check itself signs with the public key of local services")
			}
			return s.wantNoProof(forgery{"the public key of local services", func(id string) string { return wire.Sign(id, upstreamtest.AccessKey) }})
		},
	},
	{
		ID:       "signature/notifications",
		Title:    "The handler verifies lifecycle events, too",
		Severity: Should,
		Source:   sourceSignature,
		Reason:   "Anybody who knows the URL can say that a client is there or gone, and see what the handler makes of it.",
		Fix:      "Verify the signature of every event before looking at its type.",
		Hostile:  true,
		judge:    judgeNotificationProof,
	},
	{
		ID:       "signature/refusal",
		Title:    "The handler refuses a bad signature with 4xx",
		Severity: Should,
		Source:   "derived: an error answer is a fault in the handler, and some end the process",
		Reason:   "A comparison that throws for another length or for other characters lets strangers fill the log with errors, or end the process.",
		Fix:      "Check that a token has 64 hex digits before decoding and comparing it, and answer 401 otherwise.",
		Hostile:  true,
		needs:    []need{needSample},
		judge:    judgeRefusal,
	},
	{
		ID:       "signature/lookup",
		Title:    "The handler verifies before it looks for somebody to handle the event",
		Severity: Should,
		Source:   "derived: what is not proved gets to see nothing",
		Reason:   "Strangers can find out otherwise which events there are.",
		Fix:      "Verify the signature first, then look at ce-type.",
		Hostile:  true,
		needs:    []need{needSample},
		judge:    judgeLookup,
	},
	{
		ID:       "signature/before-body",
		Title:    "The handler verifies before it reads the body",
		Severity: Info,
		Source:   "derived: the signature is about headers only",
		Reason:   "Strangers can make it hold many long or slow bodies otherwise.",
		Fix:      "Verify in front of whatever reads the body, such as a parser of JSON.",
		Hostile:  true,
		needs:    []need{needSample},
		judge:    judgeBeforeBody,
	},
	{
		ID:       "signature/other-tokens",
		Title:    "The handler skips signatures of a form that it does not know",
		Severity: Info,
		Source:   "derived: the names of algorithms in front of signatures leave room for more",
		Reason:   "The day the service adds a token of another algorithm, nothing is accepted any more.",
		Fix:      "Look at the tokens that begin with sha256=, and skip the others.",
		needs:    []need{needSample},
		judge:    judgeOtherTokens,
	},
	{
		ID:       "signature/hex-case",
		Title:    "The handler reads hex digits in either case",
		Severity: Info,
		Source:   "derived: hex digits have no case; Microsoft's SDKs compare without",
		Reason:   "The service writes lower case today, and no document promises it.",
		Fix:      "Decode the hex digits, and compare the bytes.",
		needs:    []need{needSample},
		judge: func(s *session) finding {
			return s.wantTaken("hex digits in upper case", resigned(func(id string) string {
				return "sha256=" + strings.ToUpper(strings.TrimPrefix(s.sign(id), "sha256="))
			}))
		},
	},
}
