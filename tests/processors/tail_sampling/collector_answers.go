// Writes which traces the Collector's tail_sampling processor keeps: standard input has lines with `policies` and
// `traces`, the name of a file beside it with a request in OTLP/JSON; each line gets `kept`, the last bytes of the ids
// of the traces that were kept. To ask again, or to ask more, in a directory elsewhere:
//
//	cp .../tests/processors/tail_sampling/collector_answers.go main.go && cp .../collector_traces_*.json . &&
//	go mod init answers
//	go get github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor@v0.161.0
//	go mod tidy && go run . < .../collector_answers.jsonl > answers.jsonl

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"
)

type question struct {
	Policies []any  `json:"policies"`
	Traces   string `json:"traces"`
}

type answer struct {
	question
	Kept []int `json:"kept"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var asked question
		must(json.Unmarshal(lines.Bytes(), &asked))
		line, err := json.Marshal(answer{asked, ask(asked)})
		must(err)
		fmt.Println(string(line))
	}
}

func ask(asked question) []int {
	factory, ctx := tailsamplingprocessor.NewFactory(), context.Background()
	config := factory.CreateDefaultConfig()
	must(confmap.NewFromStringMap(map[string]any{"policies": asked.Policies}).Unmarshal(config))
	must(config.(interface{ Validate() error }).Validate())
	settings := processor.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	settings.Logger = zap.NewNop()
	sink := new(consumertest.TracesSink)
	made, err := factory.CreateTraces(ctx, settings, config, sink)
	must(err)
	must(made.Start(ctx, componenttest.NewNopHost()))
	request, err := os.ReadFile(asked.Traces)
	must(err)
	data, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(request)
	must(err)
	must(made.ConsumeTraces(ctx, data))
	must(made.Shutdown(ctx)) // decides what is pending
	kept := []int{}
	for _, traces := range sink.AllTraces() {
		for _, resource := range traces.ResourceSpans().All() {
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					id := span.TraceID()
					kept = append(kept, int(id[14])<<8|int(id[15]))
				}
			}
		}
	}
	slices.Sort(kept)
	return slices.Compact(kept)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
