package main

import "github.com/eclipse/paho.golang/paho"

func connectPacket(with command) *paho.Connect {
	given := with.Properties
	problems := given.RequestProblemInformation
	packet := paho.Connect{
		ClientID:   with.ClientID,
		CleanStart: with.Clean,
		KeepAlive:  with.KeepAlive,
		Properties: &paho.ConnectProperties{
			SessionExpiryInterval: given.SessionExpiry,
			ReceiveMaximum:        given.ReceiveMaximum,
			MaximumPacketSize:     given.MaximumPacketSize,
			TopicAliasMaximum:     given.TopicAliasMaximum,
			RequestProblemInfo:    problems == nil || *problems == 1,
			User:                  toUser(given.UserProperties),
		},
	}
	if w := with.Will; w != nil {
		packet.WillMessage = &paho.WillMessage{
			Topic:   w.Topic,
			Payload: w.Payload,
			QoS:     w.QoS,
			Retain:  w.Retain,
		}
		packet.WillProperties = &paho.WillProperties{
			WillDelayInterval: w.Properties.WillDelay,
			PayloadFormat:     w.Properties.PayloadFormat,
			MessageExpiry:     w.Properties.MessageExpiry,
			ContentType:       w.Properties.ContentType,
			ResponseTopic:     w.Properties.ResponseTopic,
			CorrelationData:   w.Properties.Correlation,
			User:              toUser(w.Properties.UserProperties),
		}
	}
	return &packet
}

func publishPacket(with command) *paho.Publish {
	given := with.Properties
	return &paho.Publish{
		QoS:    with.QoS,
		Retain: with.Retain,
		Topic:  with.Topic,
		Properties: &paho.PublishProperties{
			PayloadFormat:   given.PayloadFormat,
			MessageExpiry:   given.MessageExpiry,
			ContentType:     given.ContentType,
			ResponseTopic:   given.ResponseTopic,
			CorrelationData: given.Correlation,
			TopicAlias:      given.TopicAlias,
			User:            toUser(given.UserProperties),
		},
	}
}

func ofConnack(packet *paho.Connack) properties {
	given := packet.Properties
	return properties{
		SessionExpiry:     given.SessionExpiryInterval,
		ReceiveMaximum:    given.ReceiveMaximum,
		MaximumPacketSize: given.MaximumPacketSize,
		TopicAliasMaximum: given.TopicAliasMaximum,
		AssignedClientID:  given.AssignedClientID,
		ServerKeepAlive:   given.ServerKeepAlive,
		ReasonString:      given.ReasonString,
		UserProperties:    ofUser(given.User),
	}
}

func ofPublish(packet *paho.Publish) properties {
	given := packet.Properties
	found := properties{
		PayloadFormat:  given.PayloadFormat,
		MessageExpiry:  given.MessageExpiry,
		ContentType:    given.ContentType,
		ResponseTopic:  given.ResponseTopic,
		Correlation:    given.CorrelationData,
		TopicAlias:     given.TopicAlias,
		UserProperties: ofUser(given.User),
	}
	if given.SubscriptionIdentifier != nil {
		found.SubscriptionIDs = []int{*given.SubscriptionIdentifier}
	}
	return found
}

func toUser(pairs [][2]string) paho.UserProperties {
	var user paho.UserProperties
	for _, pair := range pairs {
		user.Add(pair[0], pair[1])
	}
	return user
}

func ofUser(user paho.UserProperties) [][2]string {
	var pairs [][2]string
	for _, one := range user {
		pairs = append(pairs, [2]string{one.Key, one.Value})
	}
	return pairs
}

func toInts(codes []byte) []int {
	var numbers []int
	for _, code := range codes {
		numbers = append(numbers, int(code))
	}
	return numbers
}
