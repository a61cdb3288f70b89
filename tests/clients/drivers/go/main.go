// The driver of Eclipse paho's clients for Go: paho.mqtt.golang up to MQTT 3.1.1 and
// paho.golang for MQTT 5.0. Commands in, answers and what is heard out, a line of JSON each.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Less than the tests wait for an answer.
const deadline = 20 * time.Second

// What a driver does with a client, whichever library it is of.
type client interface {
	connect(command) (connected, error)
	subscribe(command) ([]int, error)
	unsubscribe(command) ([]int, error)
	publish(command) ([]int, error)
	acknowledge(count int) error
	disconnect(command) error
	kill()
}

var writing sync.Mutex

func write(said any) {
	line, err := json.Marshal(said)
	if err != nil {
		panic(err)
	}
	writing.Lock()
	defer writing.Unlock()
	os.Stdout.Write(append(line, '\n'))
}

func newClient(c command) client {
	if c.Version == "5.0" {
		return &client5{name: c.Client}
	}
	return &client3{name: c.Client}
}

func act(clients map[string]client, c command) (any, error) {
	if c.Do == "reset" {
		for name, one := range clients {
			one.kill()
			delete(clients, name)
		}
		return struct{}{}, nil
	}
	if c.Do == "connect" {
		clients[c.Client] = newClient(c)
	}
	one, there := clients[c.Client]
	if !there {
		return nil, fmt.Errorf("no client %s", c.Client)
	}
	switch c.Do {
	case "connect":
		return one.connect(c)
	case "listen":
		return struct{}{}, nil
	case "subscribe":
		return withReasons(one.subscribe(c))
	case "unsubscribe":
		return withReasons(one.unsubscribe(c))
	case "publish":
		return withReasons(one.publish(c))
	case "acknowledge":
		return struct{}{}, one.acknowledge(c.Count)
	case "disconnect":
		return struct{}{}, one.disconnect(c)
	case "kill":
		one.kill()
		return struct{}{}, nil
	}
	return nil, fmt.Errorf("no command %s", c.Do)
}

func withReasons(codes []int, err error) (any, error) {
	return reasons{codes}, err
}

func main() {
	clients := map[string]client{}
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		if err != nil {
			panic(err)
		}
		var c command
		if err := json.Unmarshal(line, &c); err != nil {
			panic(err)
		}
		ok, err := act(clients, c)
		if err != nil {
			write(failed{c.ID, err.Error()})
		} else {
			write(done{c.ID, ok})
		}
	}
}
