package main

import (
	"encoding/hex"
	"encoding/json"
)

// Bytes, in hexadecimal digits.
type octets []byte

func (o octets) MarshalJSON() ([]byte, error) {
	return json.Marshal(hex.EncodeToString(o))
}

func (o *octets) UnmarshalJSON(text []byte) error {
	var digits string
	if err := json.Unmarshal(text, &digits); err != nil {
		return err
	}
	decoded, err := hex.DecodeString(digits)
	*o = decoded
	return err
}

// A command of the tests; only the fields of its kind are set.
type command struct {
	ID         int        `json:"id"`
	Do         string     `json:"do"`
	Client     string     `json:"client"`
	Port       int        `json:"port"`
	Version    string     `json:"version"`
	ClientID   string     `json:"client_id"`
	Clean      bool       `json:"clean"`
	KeepAlive  uint16     `json:"keep_alive"`
	ManualAck  bool       `json:"manual_ack"`
	Will       *will      `json:"will"`
	Filters    filters    `json:"filters"`
	Topic      string     `json:"topic"`
	Payloads   []octets   `json:"payloads"`
	QoS        byte       `json:"qos"`
	Retain     bool       `json:"retain"`
	Reason     byte       `json:"reason"`
	Count      int        `json:"count"`
	Properties properties `json:"properties"`
}

type will struct {
	Topic      string     `json:"topic"`
	Payload    octets     `json:"payload"`
	QoS        byte       `json:"qos"`
	Retain     bool       `json:"retain"`
	Properties properties `json:"properties"`
}

type filter struct {
	Filter            string `json:"filter"`
	QoS               byte   `json:"qos"`
	NoLocal           bool   `json:"no_local"`
	RetainAsPublished bool   `json:"retain_as_published"`
	RetainHandling    byte   `json:"retain_handling"`
}

// Filters with options to subscribe to, or without to unsubscribe from.
type filters []filter

func (f *filters) UnmarshalJSON(text []byte) error {
	var names []string
	if json.Unmarshal(text, &names) == nil {
		for _, name := range names {
			*f = append(*f, filter{Filter: name})
		}
		return nil
	}
	return json.Unmarshal(text, (*[]filter)(f))
}

func (f filters) names() []string {
	var names []string
	for _, one := range f {
		names = append(names, one.Filter)
	}
	return names
}

// The properties of MQTT 5.0, of whatever packet; what is not there is nil.
type properties struct {
	SessionExpiry             *uint32     `json:"session_expiry,omitempty"`
	ReceiveMaximum            *uint16     `json:"receive_maximum,omitempty"`
	MaximumPacketSize         *uint32     `json:"maximum_packet_size,omitempty"`
	TopicAliasMaximum         *uint16     `json:"topic_alias_maximum,omitempty"`
	RequestProblemInformation *byte       `json:"request_problem_information,omitempty"`
	UserProperties            [][2]string `json:"user_properties,omitempty"`
	PayloadFormat             *byte       `json:"payload_format,omitempty"`
	MessageExpiry             *uint32     `json:"message_expiry,omitempty"`
	ContentType               string      `json:"content_type,omitempty"`
	ResponseTopic             string      `json:"response_topic,omitempty"`
	Correlation               octets      `json:"correlation,omitempty"`
	SubscriptionID            *int        `json:"subscription_id,omitempty"`
	SubscriptionIDs           []int       `json:"subscription_ids,omitempty"`
	TopicAlias                *uint16     `json:"topic_alias,omitempty"`
	WillDelay                 *uint32     `json:"will_delay,omitempty"`
	AssignedClientID          string      `json:"assigned_client_id,omitempty"`
	ServerKeepAlive           *uint16     `json:"server_keep_alive,omitempty"`
	ReasonString              string      `json:"reason_string,omitempty"`
}

type done struct {
	ID int `json:"id"`
	OK any `json:"ok"`
}

type failed struct {
	ID    int    `json:"id"`
	Error string `json:"error"`
}

type connected struct {
	Reason         byte       `json:"reason"`
	SessionPresent bool       `json:"session_present"`
	Properties     properties `json:"properties"`
}

type reasons struct {
	Reasons []int `json:"reasons"`
}

type message struct {
	Client     string     `json:"client"`
	Event      string     `json:"event"`
	Topic      string     `json:"topic"`
	Payload    octets     `json:"payload"`
	QoS        byte       `json:"qos"`
	Retain     bool       `json:"retain"`
	Dup        bool       `json:"dup"`
	Properties properties `json:"properties"`
}

type closed struct {
	Client     string     `json:"client"`
	Event      string     `json:"event"`
	Reason     *byte      `json:"reason"`
	Properties properties `json:"properties"`
}
