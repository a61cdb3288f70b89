package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/eclipse/paho.golang/paho"
)

// A client of paho.golang.
type client5 struct {
	name    string
	mqtt    *paho.Client
	socket  net.Conn
	leaving atomic.Bool

	lock           sync.Mutex
	unacknowledged []*paho.Publish
}

func (c *client5) connect(with command) (connected, error) {
	socket, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", with.Port), deadline)
	if err != nil {
		return connected{}, err
	}
	c.socket = socket
	c.mqtt = paho.NewClient(paho.ClientConfig{
		Conn:                       socket,
		PacketTimeout:              deadline,
		EnableManualAcknowledgment: with.ManualAck,
		OnPublishReceived:          []func(paho.PublishReceived) (bool, error){c.onMessage},
		OnServerDisconnect:         c.onDisconnect,
		OnClientError:              func(error) { c.hearClosed(nil, properties{}) },
	})
	connack, err := c.mqtt.Connect(context.Background(), connectPacket(with))
	if connack == nil {
		return connected{}, err
	}
	return connected{connack.ReasonCode, connack.SessionPresent, ofConnack(connack)}, nil
}

func (c *client5) onMessage(got paho.PublishReceived) (bool, error) {
	packet := got.Packet
	if packet.QoS > 0 {
		c.lock.Lock()
		c.unacknowledged = append(c.unacknowledged, packet)
		c.lock.Unlock()
	}
	write(message{
		Client:     c.name,
		Event:      "message",
		Topic:      packet.Topic,
		Payload:    packet.Payload,
		QoS:        packet.QoS,
		Retain:     packet.Retain,
		Dup:        packet.Duplicate(),
		Properties: ofPublish(packet),
	})
	return true, nil
}

func (c *client5) onDisconnect(packet *paho.Disconnect) {
	c.hearClosed(&packet.ReasonCode, properties{ReasonString: packet.Properties.ReasonString})
}

func (c *client5) hearClosed(reason *byte, with properties) {
	// The library may tell of one end several times.
	if !c.leaving.Swap(true) {
		write(closed{c.name, "closed", reason, with})
	}
}

func (c *client5) subscribe(with command) ([]int, error) {
	packet := paho.Subscribe{Properties: &paho.SubscribeProperties{
		SubscriptionIdentifier: with.Properties.SubscriptionID,
		User:                   toUser(with.Properties.UserProperties),
	}}
	for _, one := range with.Filters {
		packet.Subscriptions = append(packet.Subscriptions, paho.SubscribeOptions{
			Topic:             one.Filter,
			QoS:               one.QoS,
			NoLocal:           one.NoLocal,
			RetainAsPublished: one.RetainAsPublished,
			RetainHandling:    one.RetainHandling,
		})
	}
	suback, err := c.mqtt.Subscribe(context.Background(), &packet)
	if suback == nil {
		return nil, err
	}
	return toInts(suback.Reasons), nil
}

func (c *client5) unsubscribe(with command) ([]int, error) {
	packet := paho.Unsubscribe{Topics: with.Filters.names()}
	unsuback, err := c.mqtt.Unsubscribe(context.Background(), &packet)
	if unsuback == nil {
		return nil, err
	}
	return toInts(unsuback.Reasons), nil
}

// One after the other: the library keeps no order among calls that are made at once.
func (c *client5) publish(with command) ([]int, error) {
	var codes []int
	for _, payload := range with.Payloads {
		packet := publishPacket(with)
		packet.Payload = payload
		answer, err := c.mqtt.Publish(context.Background(), packet)
		if answer == nil {
			return nil, err
		}
		codes = append(codes, int(answer.ReasonCode))
	}
	return codes, nil
}

func (c *client5) acknowledge(count int) error {
	c.lock.Lock()
	defer c.lock.Unlock()
	for ; count > 0; count-- {
		if err := c.mqtt.Ack(c.unacknowledged[0]); err != nil {
			return err
		}
		c.unacknowledged = c.unacknowledged[1:]
	}
	return nil
}

func (c *client5) disconnect(with command) error {
	c.leaving.Store(true)
	return c.mqtt.Disconnect(&paho.Disconnect{
		ReasonCode: with.Reason,
		Properties: &paho.DisconnectProperties{
			SessionExpiryInterval: with.Properties.SessionExpiry,
		},
	})
}

func (c *client5) kill() {
	c.leaving.Store(true)
	if c.socket != nil {
		c.socket.Close()
	}
}
