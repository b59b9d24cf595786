# Calls the administration of coherencyd with Debian's python3-grpcio and python3-protobuf, which know of it only what the
# descriptor set says. Prints what it got, for the test to judge.
#
#   client.py DESCRIPTORS TARGET SCENARIO [ARGUMENT...]
import concurrent.futures
import sys
import threading

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PATIENCE = 30
ADMIN = "coherency.admin.v1."
HEALTH = "grpc.health.v1."

with open(sys.argv[1], "rb") as descriptors:
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptors.read())
pool = descriptor_pool.DescriptorPool()
for file in files.file:
    pool.Add(file)
factory = message_factory.MessageFactory(pool)


def message(name):
    return factory.GetPrototype(pool.FindMessageTypeByName(name))


def serialize(request):
    return request.SerializeToString()


def unary(channel, method, **fields):
    call = channel.unary_unary(
        f"/{ADMIN}Admin/{method}",
        request_serializer=serialize,
        response_deserializer=message(f"{ADMIN}{method}Response").FromString)
    return call, message(f"{ADMIN}{method}Request")(**fields)


def connect(target, **options):
    return grpc.insecure_channel(target, options=list(options.items()))


def tell(error):
    print(error.code().name, error.details())


def attempt(call, *arguments, **options):
    try:
        return call(*arguments, timeout=PATIENCE, **options)
    except grpc.RpcError as error:
        tell(error)
        return None


def lists(channel):
    call, request = unary(channel, "ListGuests")
    for guest in attempt(call, request).guests:
        print(guest.name, guest.state)
    call, request = unary(channel, "ListShares")
    for share in attempt(call, request).shares:
        print(share.directory, list(share.guests))


def method(channel, name, *fields):
    """NAME=VALUE for each field of the request."""
    values = dict(field.split("=", 1) for field in fields)
    typed = {key: value == "True" if value in ("True", "False") else int(value) if value.isdigit() else value for key, value in values.items()}
    call, request = unary(channel, name, **typed)
    response = attempt(call, request)
    if response is not None:
        print("OK", str(response).replace("\n", " "))


def compressed(channel):
    call, request = unary(channel, "GetTable", guest="a", heat_buckets=1024)
    response, rest = call.with_call(request, timeout=PATIENCE, compression=grpc.Compression.Gzip)
    print(len(response.heat), rest.code().name)


def large(channel):
    for size in (3 << 20, 5 << 20):
        call, request = unary(channel, "GetTable", guest="g" * size)
        try:
            call(request, timeout=PATIENCE)
        except grpc.RpcError as error:
            print(error.code().name, len(error.details()) < 5000)


def unknown(channel):
    attempt(channel.unary_unary(f"/{ADMIN}Admin/Dance"), b"")
    attempt(channel.unary_unary("/no.Such/Service"), b"")


def bad(channel):
    attempt(channel.unary_unary(f"/{ADMIN}Admin/ListGuests"), b"\xff\xff\xff")


def watch(channel, service, timeout=PATIENCE):
    call = channel.unary_stream(
        f"/{HEALTH}Health/Watch", request_serializer=serialize, response_deserializer=message(f"{HEALTH}HealthCheckResponse").FromString)
    return call(message(f"{HEALTH}HealthCheckRequest")(service=service), timeout=timeout)


def health(channel, *services):
    call = channel.unary_unary(
        f"/{HEALTH}Health/Check", request_serializer=serialize, response_deserializer=message(f"{HEALTH}HealthCheckResponse").FromString)
    for service in services:
        response = attempt(call, message(f"{HEALTH}HealthCheckRequest")(service=service))
        if response is not None:
            print(response.status)


def health_watch(channel):
    """Sees the guest a being drained and resumed, and a guest that nobody knows."""
    stream = watch(channel, "coherency.guest.a")
    print(next(stream).status)
    call, request = unary(channel, "DrainGuest", guest="a")
    call(request, timeout=PATIENCE)
    print(next(stream).status)
    call, request = unary(channel, "DrainGuest", guest="a", resume=True)
    call(request, timeout=PATIENCE)
    print(next(stream).status)
    stream.cancel()
    stream = watch(channel, "coherency.guest.nobody")
    print(next(stream).status)
    stream.cancel()


def deadline(channel):
    call = channel.unary_stream(
        f"/{HEALTH}Health/Watch", request_serializer=serialize, response_deserializer=message(f"{HEALTH}HealthCheckResponse").FromString)
    stream = call(message(f"{HEALTH}HealthCheckRequest")(), timeout=0.3)
    try:
        for response in stream:
            print(response.status)
    except grpc.RpcError as error:
        print(error.code().name)


def cancel(channel):
    """More streams one after another than may be open at a time: those that were cancelled are gone."""
    for _ in range(3000):
        stream = watch(channel, "")
        next(stream)
        stream.cancel()
    try:
        next(stream)
    except grpc.RpcError as error:
        print(error.code().name)
    lists(channel)


def reflection(channel, name):
    """What a tool finds out that knows nothing: the services, and a message of one."""
    prefix = "grpc.reflection.v1."
    call = channel.stream_stream(
        f"/{name}/ServerReflectionInfo",
        request_serializer=serialize,
        response_deserializer=message(f"{prefix}ServerReflectionResponse").FromString)
    request = message(f"{prefix}ServerReflectionRequest")
    asked = [request(list_services="*"), request(file_containing_symbol=f"{ADMIN}Admin"), request(file_containing_symbol="no.Such")]
    answers = list(call(iter(asked), timeout=PATIENCE))
    print(sorted(service.name for service in answers[0].list_services_response.service))
    found = descriptor_pool.DescriptorPool()
    files = [descriptor_pb2.FileDescriptorProto.FromString(one) for one in answers[1].file_descriptor_response.file_descriptor_proto]
    for file in reversed(files):
        found.Add(file)
    print(len(found.FindServiceByName(f"{ADMIN}Admin").methods), found.FindMessageTypeByName(f"{ADMIN}StaleEntry").fields_by_name["cause"].number)
    print(answers[2].error_response.error_code)


def crowd(target, clients):
    """So many clients at once, each with a connection of its own."""
    channels = [connect(target, **{"grpc.use_local_subchannel_pool": 1}) for _ in range(int(clients))]
    start = threading.Barrier(32)

    def run(mine):
        start.wait()
        calls = [unary(channel, "ListGuests") for channel in mine]
        return [call.future(request, timeout=PATIENCE) for call, request in calls]

    with concurrent.futures.ThreadPoolExecutor(32) as threads:
        futures = [future for some in threads.map(run, [channels[i::32] for i in range(32)]) for future in some]
    codes = {}
    for future in futures:
        code = future.code().name
        codes[code] = codes.get(code, 0) + 1
    print(codes)


def hold(target, clients):
    """So many clients, each with a connection and a stream of its own, until standard input ends."""
    channels = [connect(target, **{"grpc.use_local_subchannel_pool": 1}) for _ in range(int(clients))]
    streams = [watch(channel, "coherency.guest.a", timeout=None) for channel in channels]
    print({next(stream).status for stream in streams}, flush=True)
    sys.stdin.read()


def tls(target, *files):
    """With the root of the server's certificate, then without a certificate or with one and its key."""
    root, *pair = [open(file, "rb").read() for file in files]
    certificate, key = pair if pair else (None, None)
    credentials = grpc.ssl_channel_credentials(root, key, certificate)
    call, request = unary(grpc.secure_channel(target, credentials), "ListGuests")
    response = attempt(call, request)
    if response is not None:
        print("OK", [guest.name for guest in response.guests])


target, scenario, *arguments = sys.argv[2:]
if scenario in ("crowd", "hold", "tls"):
    globals()[scenario](target, *arguments)
else:
    with connect(target) as only:
        globals()[scenario](only, *arguments)
