package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	batch "k8s.io/api/batch/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// server is an API server that jobs are created on: nothing runs there.
type server struct {
	url, token string
	client     *http.Client
}

// dial trusts one certificate, which the server has made for itself.
func dial(url, certificate, token string) (*server, error) {
	trusted, err := os.ReadFile(certificate)
	if err != nil {
		return nil, err
	}
	secret, err := os.ReadFile(token)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(trusted) {
		return nil, fmt.Errorf("%s: no certificate", certificate)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	return &server{url, string(secret), &http.Client{Transport: transport, Timeout: time.Minute}}, nil
}

// ask sends a request and reads the answer, which is to be a status that was wanted.
func (s *server) ask(method, path string, body []byte, want int, answer any) error {
	request, err := http.NewRequest(method, s.url+"/apis/batch/v1/namespaces/default/jobs"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Content-Type", "application/yaml")
	request.Header.Set("Accept", "application/json")
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode != want {
		var status meta.Status
		if err := json.Unmarshal(data, &status); err != nil {
			return fmt.Errorf("%s: %q", response.Status, data)
		}
		return fmt.Errorf("%s: %s", response.Status, status.Message)
	}
	return json.Unmarshal(data, answer)
}

// apply creates the jobs of some manifests as `kubectl apply` does, holds what the server has made of them against what was sent, and removes them.
func (s *server) apply(data []byte) (err error) {
	var created []string
	defer func() {
		for _, name := range created {
			var status any
			err = errors.Join(err, s.ask(http.MethodDelete, "/"+name+"?propagationPolicy=Background", nil, http.StatusOK, &status))
		}
	}()
	for i, document := range documents(data) {
		var sent, kept batch.Job
		// What is wrong with it is the server's to say.
		if err := yaml.Unmarshal(document, &sent); err != nil {
			return fmt.Errorf("document %d: %w", i, err)
		}
		if err := s.ask(http.MethodPost, "?fieldValidation=Strict", document, http.StatusCreated, &kept); err != nil {
			return fmt.Errorf("document %d: %w", i, err)
		}
		created = append(created, kept.Name)
		if err := s.ask(http.MethodGet, "/"+kept.Name, nil, http.StatusOK, &kept); err != nil {
			return fmt.Errorf("%s: %w", sent.Name, err)
		}
		if err := asSent(&sent, &kept); err != nil {
			return fmt.Errorf("%s: the server keeps %w", sent.Name, err)
		}
	}
	fmt.Printf("%d jobs accepted\n", len(created))
	return nil
}

// asSent says what of a job the server keeps otherwise than it was sent.
func asSent(sent, kept *batch.Job) error {
	for what, pair := range map[string][2]any{
		"another mode":                {sent.Spec.CompletionMode, kept.Spec.CompletionMode},
		"other completions":           {sent.Spec.Completions, kept.Spec.Completions},
		"other retries":               {sent.Spec.BackoffLimitPerIndex, kept.Spec.BackoffLimitPerIndex},
		"another limit of time":       {sent.Spec.ActiveDeadlineSeconds, kept.Spec.ActiveDeadlineSeconds},
		"another command":             {sent.Spec.Template.Spec.Containers[0].Command, kept.Spec.Template.Spec.Containers[0].Command},
		"other resources":             {sent.Spec.Template.Spec.Containers[0].Resources, kept.Spec.Template.Spec.Containers[0].Resources},
		"other volumes":               {sent.Spec.Template.Spec.Volumes, kept.Spec.Template.Spec.Volumes},
		"other places of its volumes": {sent.Spec.Template.Spec.Containers[0].VolumeMounts, kept.Spec.Template.Spec.Containers[0].VolumeMounts},
	} {
		was, err := json.Marshal(pair[0])
		if err != nil {
			return err
		}
		is, err := json.Marshal(pair[1])
		if err != nil {
			return err
		}
		if string(was) != "null" && !bytes.Equal(was, is) { // what was left out the server fills in
			return fmt.Errorf("%s: %s, sent %s", what, is, was)
		}
	}
	return nil
}
