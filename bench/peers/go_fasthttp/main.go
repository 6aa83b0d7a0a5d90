// A careful Go program that writes a file of JSON items to the table Orders: fastjson, fasthttp and its own signing
// instead of the SDK. It uses one CPU, as one worker of ddbio does, and eight connections.
package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fastjson"
)

const (
	table       = "Orders"
	batchItems  = 25
	connections = 8
	attempts    = 10
	head        = `{"RequestItems":{"` + table + `":[`
	tail        = `]},"ReturnConsumedCapacity":"INDEXES"}`
	target      = "DynamoDB_20120810.BatchWriteItem"
	contentType = "application/x-amz-json-1.0"
)

func main() {
	runtime.GOMAXPROCS(1)
	file, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	endpoint, err := url.Parse(os.Getenv("AWS_ENDPOINT_URL"))
	if err != nil {
		log.Fatal(err)
	}
	client := &fasthttp.HostClient{Addr: endpoint.Host, MaxConns: connections}
	lines := &blocks{reader: bufio.NewReaderSize(file, 1<<20)}
	var senders sync.WaitGroup
	for range connections {
		senders.Go(func() {
			sender := newSender(client, endpoint)
			for sender.fill(lines) {
				if err := sender.send(); err != nil {
					log.Fatal(err)
				}
			}
		})
	}
	senders.Wait()
}

// blocks gives each sender the lines of its next batch.
type blocks struct {
	mutex  sync.Mutex
	reader *bufio.Reader
}

func (b *blocks) next(into []byte) ([]byte, int) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	count := 0
	for ; count < batchItems; count++ {
		line, err := b.reader.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) {
			into = append(into, line...)
			line, err = b.reader.ReadSlice('\n')
		}
		into = append(into, line...)
		if err == io.EOF {
			if len(line) > 0 {
				count++
			}
			break
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	return into, count
}

type sender struct {
	client   *fasthttp.HostClient
	host     string
	signer   signer
	parser   fastjson.Parser
	scanner  fastjson.Scanner
	request  fasthttp.Request
	response fasthttp.Response
	lines    []byte
	body     []byte
}

func newSender(client *fasthttp.HostClient, endpoint *url.URL) *sender {
	s := &sender{client: client, host: endpoint.Host}
	s.signer.region = os.Getenv("AWS_REGION")
	s.signer.accessKey = os.Getenv("AWS_ACCESS_KEY_ID")
	s.signer.secretKey = os.Getenv("AWS_SECRET_ACCESS_KEY")
	s.request.SetRequestURI(endpoint.Scheme + "://" + endpoint.Host + "/")
	s.request.Header.SetMethod("POST")
	s.request.Header.SetContentType(contentType)
	s.request.Header.Set("X-Amz-Target", target)
	return s
}

// fill makes the body of the next batch; false at the end of the file.
func (s *sender) fill(lines *blocks) bool {
	var count int
	s.lines, count = lines.next(s.lines[:0])
	if count == 0 {
		return false
	}
	s.body = append(s.body[:0], head...)
	s.scanner.InitBytes(s.lines)
	first := true
	for s.scanner.Next() {
		if !first {
			s.body = append(s.body, ',')
		}
		first = false
		s.body = append(s.body, `{"PutRequest":{"Item":`...)
		s.body = appendAttributes(s.body, s.scanner.Value().GetObject())
		s.body = append(s.body, '}', '}')
	}
	if err := s.scanner.Error(); err != nil {
		log.Fatal(err)
	}
	s.body = append(s.body, tail...)
	return true
}

// send sends the batch, and again what the service did not process.
func (s *sender) send() error {
	for attempt := range attempts {
		s.signer.sign(&s.request, s.host, s.body)
		s.request.SetBodyRaw(s.body)
		if err := s.client.Do(&s.request, &s.response); err != nil {
			return err
		}
		answer := s.response.Body()
		if s.response.StatusCode() != fasthttp.StatusOK {
			return fmt.Errorf("HTTP %d: %s", s.response.StatusCode(), answer)
		}
		if sum := s.response.Header.Peek("X-Amz-Crc32"); len(sum) > 0 {
			if string(sum) != strconv.FormatUint(uint64(crc32.ChecksumIEEE(answer)), 10) {
				return errors.New("wrong checksum")
			}
		}
		parsed, err := s.parser.ParseBytes(answer)
		if err != nil {
			return err
		}
		left := parsed.GetArray("UnprocessedItems", table)
		if len(left) == 0 {
			return nil
		}
		s.body = append(s.body[:0], head...)
		for number, each := range left {
			if number > 0 {
				s.body = append(s.body, ',')
			}
			s.body = each.MarshalTo(s.body)
		}
		s.body = append(s.body, tail...)
		time.Sleep(50 * time.Millisecond << attempt)
	}
	return errors.New("given up")
}

func appendAttributes(out []byte, object *fastjson.Object) []byte {
	out = append(out, '{')
	first := true
	object.Visit(func(name []byte, value *fastjson.Value) {
		if !first {
			out = append(out, ',')
		}
		first = false
		out = appendText(out, name)
		out = append(out, ':')
		out = appendAttribute(out, value)
	})
	return append(out, '}')
}

func appendText(out, text []byte) []byte {
	for _, each := range text {
		if each < ' ' || each == '"' || each == '\\' {
			var arena fastjson.Arena
			return arena.NewStringBytes(text).MarshalTo(out)
		}
	}
	out = append(out, '"')
	out = append(out, text...)
	return append(out, '"')
}

func appendAttribute(out []byte, value *fastjson.Value) []byte {
	switch value.Type() {
	case fastjson.TypeString:
		out = append(out, `{"S":`...)
		out = value.MarshalTo(out)
	case fastjson.TypeNumber:
		out = append(out, `{"N":"`...)
		out = value.MarshalTo(out)
		out = append(out, '"')
	case fastjson.TypeTrue:
		out = append(out, `{"BOOL":true`...)
	case fastjson.TypeFalse:
		out = append(out, `{"BOOL":false`...)
	case fastjson.TypeNull:
		out = append(out, `{"NULL":true`...)
	case fastjson.TypeArray:
		out = append(out, `{"L":[`...)
		for number, each := range value.GetArray() {
			if number > 0 {
				out = append(out, ',')
			}
			out = appendAttribute(out, each)
		}
		out = append(out, ']')
	case fastjson.TypeObject:
		object := value.GetObject()
		if set := object.Get("$SS"); set != nil && object.Len() == 1 {
			out = append(out, `{"SS":`...)
			out = set.MarshalTo(out)
		} else {
			out = append(out, `{"M":`...)
			out = appendAttributes(out, object)
		}
	}
	return append(out, '}')
}

// signer signs by Signature Version 4. The key of a day is derived once.
type signer struct {
	region, accessKey, secretKey string
	day                          string
	key                          []byte
}

func (s *signer) sign(request *fasthttp.Request, host string, body []byte) {
	now := time.Now().UTC().Format("20060102T150405Z")
	scope := now[:8] + "/" + s.region + "/dynamodb/aws4_request"
	if s.day != now[:8] {
		s.day, s.key = now[:8], []byte("AWS4"+s.secretKey)
		for _, part := range []string{s.day, s.region, "dynamodb", "aws4_request"} {
			s.key = mac(s.key, part)
		}
	}
	sum := sha256.Sum256(body)
	canonical := "POST\n/\n\ncontent-type:" + contentType + "\nhost:" + host + "\nx-amz-date:" + now +
		"\nx-amz-target:" + target + "\n\ncontent-type;host;x-amz-date;x-amz-target\n" + hex.EncodeToString(sum[:])
	sum = sha256.Sum256([]byte(canonical))
	toSign := "AWS4-HMAC-SHA256\n" + now + "\n" + scope + "\n" + hex.EncodeToString(sum[:])
	request.Header.Set("X-Amz-Date", now)
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.accessKey+"/"+scope+
		", SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature="+hex.EncodeToString(mac(s.key, toSign)))
}

func mac(key []byte, text string) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(text))
	return hash.Sum(nil)
}
