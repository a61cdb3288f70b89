package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

var versions = map[string]uint{"3.1": 3, "3.1.1": 4}

// A client of paho.mqtt.golang.
type client3 struct {
	name    string
	mqtt    mqtt.Client
	socket  net.Conn
	leaving atomic.Bool

	lock           sync.Mutex
	unacknowledged []mqtt.Message
}

func (c *client3) connect(with command) (connected, error) {
	options := mqtt.NewClientOptions().
		AddBroker(fmt.Sprintf("tcp://127.0.0.1:%d", with.Port)).
		SetProtocolVersion(versions[with.Version]).
		SetClientID(with.ClientID).
		SetCleanSession(with.Clean).
		SetKeepAlive(time.Duration(with.KeepAlive) * time.Second).
		SetAutoReconnect(false).
		SetAutoAckDisabled(with.ManualAck).
		SetDefaultPublishHandler(c.onMessage).
		SetConnectionLostHandler(c.onLost).
		SetCustomOpenConnectionFn(c.open)
	if w := with.Will; w != nil {
		options.SetBinaryWill(w.Topic, w.Payload, w.QoS, w.Retain)
	}
	c.mqtt = mqtt.NewClient(options)
	token := c.mqtt.Connect().(*mqtt.ConnectToken)
	err := wait(token)
	if err != nil && token.ReturnCode() == 0 {
		return connected{}, err
	}
	return connected{Reason: token.ReturnCode(), SessionPresent: token.SessionPresent()}, nil
}

// Opens the connection, and keeps it so that it can be cut.
func (c *client3) open(broker *url.URL, _ mqtt.ClientOptions) (net.Conn, error) {
	socket, err := net.DialTimeout("tcp", broker.Host, deadline)
	c.socket = socket
	return socket, err
}

func (c *client3) onMessage(_ mqtt.Client, got mqtt.Message) {
	if got.Qos() > 0 {
		c.lock.Lock()
		c.unacknowledged = append(c.unacknowledged, got)
		c.lock.Unlock()
	}
	write(message{
		Client:  c.name,
		Event:   "message",
		Topic:   got.Topic(),
		Payload: got.Payload(),
		QoS:     got.Qos(),
		Retain:  got.Retained(),
		Dup:     got.Duplicate(),
	})
}

func (c *client3) onLost(mqtt.Client, error) {
	if !c.leaving.Load() {
		write(closed{Client: c.name, Event: "closed"})
	}
}

func (c *client3) subscribe(with command) ([]int, error) {
	wanted := map[string]byte{}
	for _, one := range with.Filters {
		wanted[one.Filter] = one.QoS
	}
	token := c.mqtt.SubscribeMultiple(wanted, nil).(*mqtt.SubscribeToken)
	err := wait(token)
	granted := token.Result()
	var codes []int
	for _, one := range with.Filters {
		codes = append(codes, int(granted[one.Filter]))
	}
	return codes, err
}

func (c *client3) unsubscribe(with command) ([]int, error) {
	return []int{}, wait(c.mqtt.Unsubscribe(with.Filters.names()...))
}

func (c *client3) publish(with command) ([]int, error) {
	var tokens []mqtt.Token
	for _, payload := range with.Payloads {
		sent := c.mqtt.Publish(with.Topic, with.QoS, with.Retain, []byte(payload))
		tokens = append(tokens, sent)
	}
	for _, token := range tokens {
		if err := wait(token); err != nil {
			return nil, err
		}
	}
	return make([]int, len(tokens)), nil
}

func (c *client3) acknowledge(count int) error {
	c.lock.Lock()
	defer c.lock.Unlock()
	for ; count > 0; count-- {
		c.unacknowledged[0].Ack()
		c.unacknowledged = c.unacknowledged[1:]
	}
	return nil
}

func (c *client3) disconnect(command) error {
	c.leaving.Store(true)
	c.mqtt.Disconnect(uint(deadline / time.Millisecond))
	return nil
}

func (c *client3) kill() {
	c.leaving.Store(true)
	if c.socket != nil {
		c.socket.Close()
	}
}

func wait(token mqtt.Token) error {
	if !token.WaitTimeout(deadline) {
		return errors.New("not acknowledged in time")
	}
	return token.Error()
}
