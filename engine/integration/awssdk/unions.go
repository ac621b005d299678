package awssdk

import (
	dynamodbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// dynamodbUnions are the unions of DynamoDB; s3Unions those of S3.
var (
	dynamodbUnions = unions(func(u unionMembers) {
		t, m := union[dynamodbtypes.AttributeValue](
			&dynamodbtypes.AttributeValueMemberB{}, &dynamodbtypes.AttributeValueMemberBOOL{}, &dynamodbtypes.AttributeValueMemberBS{},
			&dynamodbtypes.AttributeValueMemberL{}, &dynamodbtypes.AttributeValueMemberM{}, &dynamodbtypes.AttributeValueMemberN{},
			&dynamodbtypes.AttributeValueMemberNS{}, &dynamodbtypes.AttributeValueMemberNULL{}, &dynamodbtypes.AttributeValueMemberS{},
			&dynamodbtypes.AttributeValueMemberSS{})
		u[t] = m
	})
	s3Unions = unions(func(u unionMembers) {
		t, m := union[s3types.AnalyticsFilter](
			&s3types.AnalyticsFilterMemberAnd{}, &s3types.AnalyticsFilterMemberPrefix{}, &s3types.AnalyticsFilterMemberTag{})
		u[t] = m
		t, m = union[s3types.MetricsFilter](
			&s3types.MetricsFilterMemberAccessPointArn{}, &s3types.MetricsFilterMemberAnd{}, &s3types.MetricsFilterMemberPrefix{},
			&s3types.MetricsFilterMemberTag{})
		u[t] = m
		t, m = union[s3types.ObjectEncryption](&s3types.ObjectEncryptionMemberSSEKMS{})
		u[t] = m
	})
)

func unions(fill func(unionMembers)) unionMembers {
	u := unionMembers{}
	fill(u)
	return u
}

// s3Exceptions are the exceptions of S3's model, each of which the Go SDK knows for some actions only.
var s3Exceptions = []string{
	"BucketAlreadyExists", "BucketAlreadyOwnedByYou", "EncryptionTypeMismatch", "IdempotencyParameterMismatch", "InvalidObjectState",
	"InvalidRequest", "InvalidWriteOffset", "NoSuchBucket", "NoSuchKey", "NoSuchUpload", "NotFound", "ObjectAlreadyInActiveTierError",
	"ObjectNotInActiveTierError", "TooManyParts",
}
