package access_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gowebpubsub/webpubsub/emulator/internal/access"
)

func TestSign(t *testing.T) {
	at := time.Unix(1700000000, 999)
	tests := []struct {
		name    string
		options access.SignOptions
		payload string
	}{
		{
			"everything",
			access.SignOptions{UserID: "ann", Roles: []string{"r"}, Groups: []string{"g", "h"}, Lifetime: time.Minute, IssuedAt: at},
			`{"aud":"` + audience + `","exp":1700000060,"iat":1700000000,"role":["r"],"sub":"ann","webpubsub.group":["g","h"]}`,
		},
		{"defaults", access.SignOptions{IssuedAt: at}, `{"aud":"` + audience + `","exp":1700003600,"iat":1700000000}`},
		{
			"expired and empty lists",
			access.SignOptions{Roles: []string{}, Groups: []string{}, Lifetime: -time.Hour, IssuedAt: at},
			`{"aud":"` + audience + `","exp":1699996400,"iat":1700000000}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			token := sign(t, primary, audience, tt.options)
			header, payload := decode(t, token)
			if want := `{"alg":"HS256","typ":"JWT"}`; header != want {
				t.Errorf("header %s, want %s", header, want)
			}
			if payload != tt.payload {
				t.Errorf("payload %s, want %s", payload, tt.payload)
			}
			if want := hs256(payload); token != want {
				t.Errorf("got %s, want %s", token, want)
			}
		})
	}
}

func TestSignNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token := sign(t, primary, audience, access.SignOptions{UserID: "ann"})
		time.Sleep(access.DefaultLifetime + access.Leeway - time.Second)
		if claims, err := keys.VerifyClient(token, hosts, "chat"); err != nil || claims.UserID != "ann" {
			t.Errorf("just before its end: %v, %v", claims, err)
		}
		time.Sleep(time.Second)
		_, err := keys.VerifyClient(token, hosts, "chat")
		refused(t, err, "expired 5m0s ago")
	})
}

func TestSignErrors(t *testing.T) {
	if token, err := access.Sign("", audience, access.SignOptions{}); err == nil {
		t.Errorf("without a key: %s, want an error", token)
	}
	if token, err := access.Sign(primary, "", access.SignOptions{}); err == nil {
		t.Errorf("without an audience: %s, want an error", token)
	}
	if token, err := access.SignReconnection("", "c"); err == nil {
		t.Errorf("without a key: %s, want an error", token)
	}
	if token, err := access.SignReconnection(primary, ""); err == nil {
		t.Errorf("without a connection: %s, want an error", token)
	}
}

func TestReconnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token, err := access.SignReconnection(secondary, "c1")
		if err != nil {
			t.Fatal(err)
		}
		want := `{"aud":"c1","exp":947289600,"iat":946684800,"iss":"https://webpubsub.azure.com"}`
		if _, payload := decode(t, token); payload != want {
			t.Errorf("payload %s, want %s", payload, want)
		}
		if err := keys.VerifyReconnection(token, "c1"); err != nil {
			t.Error(err)
		}
		refused(t, keys.VerifyReconnection(token, "C1"), "another connection")
		refused(t, keys.VerifyReconnection(token, ""), "another connection")
		refused(t, access.Keys{primary}.VerifyReconnection(token, "c1"), "another key")
		refused(t, keys.VerifyReconnection("", "c1"), "no token")

		// It is of no use elsewhere, and other tokens are of none here.
		_, err = keys.VerifyClient(token, hosts, "chat")
		refused(t, err, "audience")
		refused(t, keys.VerifyReconnection(sign(t, primary, "c1", access.SignOptions{}), "c1"), "issuer")
		const rest = `,"exp":9999999999`
		refused(t, keys.VerifyReconnection(hs256(`{"aud":"c1","iss":"x"`+rest+`}`), "c1"), "issuer is not https://webpubsub.azure.com")
		refused(t, keys.VerifyReconnection(hs256(`{"aud":"c1","iss":1`+rest+`}`), "c1"), "wrong type")
		refused(t, keys.VerifyReconnection(hs256(`{"aud":["c1","c2"],"iss":"https://webpubsub.azure.com"`+rest+`}`), "c1"), "another connection")
		refused(t, keys.VerifyReconnection(hs256(`{"aud":1,"iss":"https://webpubsub.azure.com"`+rest+`}`), "c1"), "another connection")

		time.Sleep(7*24*time.Hour - time.Second)
		if err := keys.VerifyReconnection(token, "c1"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		refused(t, keys.VerifyReconnection(token, "c1"), "expired 0s ago")
	})
}
