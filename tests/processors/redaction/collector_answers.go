// Writes what the Collector's redaction processor answers to the questions in collector_answers.jsonl: each line has
// `name`, `signal`, `config` and `request` (OTLP/JSON), and gets `answer`. To ask again, or to ask more, in a directory
// elsewhere:
//
//	cp .../tests/processors/redaction/collector_answers.go main.go && go mod init answers
//	go get github.com/open-telemetry/opentelemetry-collector-contrib/processor/redactionprocessor@v0.164.1
//	go mod tidy && go run . < .../collector_answers.jsonl > answers.jsonl

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/redactionprocessor"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
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
	Answer json.RawMessage `json:"answer,omitempty"`
	Error  string          `json:"error,omitempty"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		response, err := ask(asked)
		said := answer{question: asked, Answer: response}
		if err != nil {
			said.Error = err.Error()
		}
		line, err := json.Marshal(said)
		if err != nil {
			panic(err)
		}
		fmt.Println(string(line))
	}
}

func ask(asked question) ([]byte, error) {
	factory, ctx := redactionprocessor.NewFactory(), context.Background()
	config := factory.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(asked.Config).Unmarshal(config); err != nil {
		return nil, err
	}
	if err := config.(interface{ Validate() error }).Validate(); err != nil {
		return nil, err
	}
	settings := processor.Settings{ID: component.NewID(factory.Type()), TelemetrySettings: componenttest.NewNopTelemetrySettings()}
	settings.Logger = zap.NewNop()
	switch asked.Signal {
	case "traces":
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
		return (&ptrace.JSONMarshaler{}).MarshalTraces(sink.AllTraces()[0])
	case "metrics":
		sink := new(consumertest.MetricsSink)
		made, err := factory.CreateMetrics(ctx, settings, config, sink)
		if err != nil {
			return nil, err
		}
		data, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(asked.Request)
		if err != nil {
			return nil, err
		}
		if err := made.ConsumeMetrics(ctx, data); err != nil {
			return nil, err
		}
		return (&pmetric.JSONMarshaler{}).MarshalMetrics(sink.AllMetrics()[0])
	default:
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
		return (&plog.JSONMarshaler{}).MarshalLogs(sink.AllLogs()[0])
	}
}
