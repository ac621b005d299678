package aws

import (
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
)

func tableAttrs(d *dbtypes.TableDescription) deploy.Attrs {
	return deploy.Attrs{"arn": str(d.TableArn), "name": str(d.TableName)}
}

func (t *Target) readTable(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	out, err := t.DynamoDB.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &r.Name})
	if err != nil {
		return nil, err
	}
	is := &Table{}
	for _, k := range out.Table.KeySchema {
		if k.KeyType == dbtypes.KeyTypeHash {
			is.Partition = str(k.AttributeName)
		} else {
			is.Sort = str(k.AttributeName)
		}
	}
	ttl, err := t.DynamoDB.DescribeTimeToLive(ctx, &dynamodb.DescribeTimeToLiveInput{TableName: &r.Name})
	if err != nil {
		return nil, err
	}
	if d := ttl.TimeToLiveDescription; d != nil && (d.TimeToLiveStatus == dbtypes.TimeToLiveStatusEnabled || d.TimeToLiveStatus == dbtypes.TimeToLiveStatusEnabling) {
		is.TTL = str(d.AttributeName)
	}
	tags, err := t.DynamoDB.ListTagsOfResource(ctx, &dynamodb.ListTagsOfResourceInput{ResourceArn: out.Table.TableArn})
	if err != nil {
		return nil, err
	}
	for _, tag := range tags.Tags {
		if str(tag.Key) == Tag {
			is.Owner = str(tag.Value)
		}
	}
	return &deploy.Observed{Spec: is, Attrs: tableAttrs(out.Table), Foreign: is.Owner != r.Spec.(*Table).Owner}, nil
}

func (t *Target) createTable(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error) {
	spec := r.Spec.(*Table)
	text := func(name string) dbtypes.AttributeDefinition {
		return dbtypes.AttributeDefinition{AttributeName: aws.String(name), AttributeType: dbtypes.ScalarAttributeTypeS}
	}
	_, err := t.DynamoDB.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: &r.Name, BillingMode: dbtypes.BillingModePayPerRequest,
		AttributeDefinitions: []dbtypes.AttributeDefinition{text(spec.Partition), text(spec.Sort)},
		KeySchema: []dbtypes.KeySchemaElement{
			{AttributeName: &spec.Partition, KeyType: dbtypes.KeyTypeHash}, {AttributeName: &spec.Sort, KeyType: dbtypes.KeyTypeRange},
		},
		Tags: []dbtypes.Tag{{Key: aws.String(Tag), Value: &spec.Owner}},
	})
	if err != nil {
		return nil, err
	}
	attrs, err := t.tableReady(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	return attrs, t.expire(ctx, r.Name, spec.TTL)
}

// tableReady waits until a table can be used.
func (t *Target) tableReady(ctx context.Context, name string) (attrs deploy.Attrs, err error) {
	err = t.until(ctx, "the table", func() (bool, error) {
		out, err := t.DynamoDB.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
		if absent(err) {
			return false, nil // the answer is of a moment before
		}
		if err != nil {
			return false, err
		}
		attrs = tableAttrs(out.Table)
		return out.Table.TableStatus == dbtypes.TableStatusActive, nil
	})
	return attrs, err
}

// expire has items expire. An endpoint that is not AWS's and does not know how (dynalite) keeps them.
func (t *Target) expire(ctx context.Context, name, attribute string) error {
	_, err := t.DynamoDB.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName: &name, TimeToLiveSpecification: &dbtypes.TimeToLiveSpecification{AttributeName: &attribute, Enabled: aws.Bool(true)},
	})
	if codeOf(err) == "UnknownOperationException" {
		return nil
	}
	return err
}

func (t *Target) updateTable(ctx context.Context, r *deploy.Resource, was *deploy.Observed) (deploy.Attrs, error) {
	spec, is := r.Spec.(*Table), was.Spec.(*Table)
	if is.Partition != spec.Partition || is.Sort != spec.Sort {
		return nil, fault.New("aws.update", fault.Conflict, r.Name, "the table has other keys, which cannot be changed: give the deployment another --name")
	}
	if _, err := t.tableReady(ctx, r.Name); err != nil {
		return nil, err
	}
	if is.Owner != spec.Owner {
		arn := was.Attrs["arn"]
		_, err := t.DynamoDB.TagResource(ctx, &dynamodb.TagResourceInput{ResourceArn: &arn, Tags: []dbtypes.Tag{{Key: aws.String(Tag), Value: &spec.Owner}}})
		if err != nil {
			return nil, err
		}
	}
	if is.TTL != spec.TTL {
		if err := t.expire(ctx, r.Name, spec.TTL); err != nil {
			return nil, err
		}
	}
	return was.Attrs, nil
}

func (t *Target) deleteTable(ctx context.Context, o *deploy.Owned) error {
	return t.until(ctx, "the table", func() (bool, error) {
		_, err := t.DynamoDB.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &o.Name})
		if codeOf(err) == "ResourceInUseException" { // it is being made or deleted
			return false, nil
		}
		return err != nil, err // until it is gone
	})
}

// Attributes of queues.
const (
	visibility = string(sqstypes.QueueAttributeNameVisibilityTimeout)
	retention  = string(sqstypes.QueueAttributeNameMessageRetentionPeriod)
)

func (t *Target) readQueue(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	u, err := t.SQS.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &r.Name})
	if err != nil {
		return nil, err
	}
	attrs, values, err := t.queueAttrs(ctx, str(u.QueueUrl), r.Name)
	if err != nil {
		return nil, err
	}
	tags, err := t.SQS.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: u.QueueUrl})
	if err != nil {
		return nil, err
	}
	is := &Queue{Owner: tags.Tags[Tag]}
	is.VisibilitySeconds, _ = strconv.Atoi(values[visibility]) // what is no number is not as it is wanted
	is.RetentionSeconds, _ = strconv.Atoi(values[retention])
	return &deploy.Observed{Spec: is, Attrs: attrs, Foreign: is.Owner != r.Spec.(*Queue).Owner}, nil
}

func (t *Target) queueAttrs(ctx context.Context, url, name string) (deploy.Attrs, map[string]string, error) {
	out, err := t.SQS.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameAll}})
	if err != nil {
		return nil, nil, err
	}
	return deploy.Attrs{"arn": out.Attributes["QueueArn"], "url": url, "name": name}, out.Attributes, nil
}

func queueAttributes(spec *Queue) map[string]string {
	return map[string]string{visibility: strconv.Itoa(spec.VisibilitySeconds), retention: strconv.Itoa(spec.RetentionSeconds)}
}

func (t *Target) createQueue(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error) {
	spec := r.Spec.(*Queue)
	var url string
	err := t.until(ctx, "the queue", func() (bool, error) {
		out, err := t.SQS.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &r.Name, Attributes: queueAttributes(spec), Tags: map[string]string{Tag: spec.Owner}})
		switch codeOf(err) {
		case "AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently":
			return false, nil // a name can be used again after a minute
		}
		if err != nil {
			return false, err
		}
		url = str(out.QueueUrl)
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	attrs, _, err := t.queueAttrs(ctx, url, r.Name)
	return attrs, err
}

func (t *Target) updateQueue(ctx context.Context, r *deploy.Resource, was *deploy.Observed) (deploy.Attrs, error) {
	spec, url := r.Spec.(*Queue), was.Attrs["url"]
	if _, err := t.SQS.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: &url, Tags: map[string]string{Tag: spec.Owner}}); err != nil {
		return nil, err
	}
	_, err := t.SQS.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: queueAttributes(spec)})
	return was.Attrs, err
}

func (t *Target) deleteQueue(ctx context.Context, o *deploy.Owned) error {
	u, err := t.SQS.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &o.Name})
	if err != nil {
		return err
	}
	_, err = t.SQS.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: u.QueueUrl})
	return err
}
