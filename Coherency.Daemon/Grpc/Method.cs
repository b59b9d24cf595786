using Google.Protobuf;

namespace Coherency.Daemon.Grpc;

/// <summary>How many messages go which way.</summary>
public enum MethodType
{
    Unary,
    ClientStreaming,
    ServerStreaming,
    DuplexStreaming,
}

/// <summary>A method of a service, as server and client know it.</summary>
public sealed record Method<TRequest, TResponse>(
    MethodType Type, string ServiceName, string Name, MessageParser<TRequest> RequestParser, MessageParser<TResponse> ResponseParser)
    where TRequest : IMessage<TRequest>
    where TResponse : IMessage<TResponse>
{
    /// <summary>The path of its requests.</summary>
    public string FullName => $"/{ServiceName}/{Name}";
}
