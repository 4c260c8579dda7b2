// Writes what the Collector's probabilistic_sampler decides about the questions in collector_answers.jsonl: each line
// has `name`, `signal`, `config` and `request` (OTLP/JSON, in which spans have their names for ids, log records their
// bodies), and gets `answer`: each item that was kept, with its tracestate, or with the attributes `sampling.threshold`
// and `sampling.randomness` of a log record. To ask again, or to ask more, in a directory elsewhere:
//
//	cp .../tests/processors/probabilistic_sampler/collector_answers.go main.go && go mod init answers
//	go get github.com/open-telemetry/opentelemetry-collector-contrib/processor/probabilisticsamplerprocessor@v0.164.1
//	go mod tidy && go run . < .../collector_answers.jsonl > answers.jsonl

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/probabilisticsamplerprocessor"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.uber.org/zap"
)

type question struct {
	Name    string          `json:"name"`
	Signal  string          `json:"signal"`
	Config  map[string]any  `json:"config"`
	Request json.RawMessage `json:"request"`
}

type answer struct {
	question
	Answer map[string]string `json:"answer"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		kept, err := ask(asked)
		if err != nil {
			panic(fmt.Errorf("%s: %w", asked.Name, err))
		}
		line, err := json.Marshal(answer{question: asked, Answer: kept})
		if err != nil {
			panic(err)
		}
		fmt.Println(string(line))
	}
}

func ask(asked question) (map[string]string, error) {
	factory, ctx := probabilisticsamplerprocessor.NewFactory(), context.Background()
	config := factory.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(asked.Config).Unmarshal(config); err != nil {
		return nil, err
	}
	if err := config.(interface{ Validate() error }).Validate(); err != nil {
		return nil, err
	}
	settings := processor.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	settings.Logger = zap.NewNop()
	kept := map[string]string{}
	if asked.Signal == "traces" {
		sink := new(consumertest.TracesSink)
		made, err := factory.CreateTraces(ctx, settings, config, sink)
		if err != nil {
			return nil, err
		}
		data, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(asked.Request)
		if err != nil {
			return nil, err
		}
		if err := made.ConsumeTraces(ctx, data); err != nil {
			return nil, err
		}
		for _, traces := range sink.AllTraces() {
			for _, resource := range traces.ResourceSpans().All() {
				for _, scope := range resource.ScopeSpans().All() {
					for _, span := range scope.Spans().All() {
						kept[span.Name()] = span.TraceState().AsRaw()
					}
				}
			}
		}
		return kept, nil
	}
	sink := new(consumertest.LogsSink)
	made, err := factory.CreateLogs(ctx, settings, config, sink)
	if err != nil {
		return nil, err
	}
	data, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(asked.Request)
	if err != nil {
		return nil, err
	}
	if err := made.ConsumeLogs(ctx, data); err != nil {
		return nil, err
	}
	for _, logs := range sink.AllLogs() {
		for _, resource := range logs.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, record := range scope.LogRecords().All() {
					kept[record.Body().Str()] = held(record, "sampling.threshold") + " " + held(record, "sampling.randomness")
				}
			}
		}
	}
	return kept, nil
}

func held(record plog.LogRecord, key string) string {
	value, ok := record.Attributes().Get(key)
	if !ok {
		return ""
	}
	return value.AsString()
}
