using Coherency.Daemon.Grpc;
using Google.Protobuf.Reflection;
using Grpc.Reflection.V1;
using Request = Grpc.Reflection.V1.ServerReflectionRequest;
using Response = Grpc.Reflection.V1.ServerReflectionResponse;
using ServerReflectionBase = Coherency.Daemon.Grpc.Services.ServerReflection.ServerReflectionBase;

namespace Coherency.Daemon.Admin.Services;

/// <summary>Tells tools which services there are, and what their messages look like.</summary>
internal sealed class ReflectionService(IReadOnlyList<FileDescriptor> files) : ServerReflectionBase
{
    private readonly DescriptorIndex _index = new(files);

    public override async Task ServerReflectionInfo(
        IAsyncStreamReader<Request> requestStream, IServerStreamWriter<Response> responseStream, ServerCallContext context)
    {
        while (await requestStream.MoveNext(context.CancellationToken).ConfigureAwait(false))
        {
            await responseStream.WriteAsync(Answer(requestStream.Current), context.CancellationToken).ConfigureAwait(false);
        }
    }

    private Response Answer(Request request)
    {
        Response response = new() { ValidHost = request.Host, OriginalRequest = request };
        switch (request.MessageRequestCase)
        {
            case Request.MessageRequestOneofCase.ListServices:
                response.ListServicesResponse = new ListServiceResponse();
                response.ListServicesResponse.Service.AddRange(_index.Services.Select(name => new ServiceResponse { Name = name }));
                break;
            case Request.MessageRequestOneofCase.FileByFilename:
                Describe(response, _index.FindFile(request.FileByFilename), request.FileByFilename);
                break;
            case Request.MessageRequestOneofCase.FileContainingSymbol:
                Describe(response, _index.FindSymbol(request.FileContainingSymbol), request.FileContainingSymbol);
                break;
            case Request.MessageRequestOneofCase.AllExtensionNumbersOfType when _index.FindSymbol(request.AllExtensionNumbersOfType) is not null:
                response.AllExtensionNumbersResponse = new ExtensionNumberResponse { BaseTypeName = request.AllExtensionNumbersOfType };
                break;
            case Request.MessageRequestOneofCase.AllExtensionNumbersOfType:
                Refuse(response, StatusCode.NotFound, $"{request.AllExtensionNumbersOfType} is not known");
                break;
            case Request.MessageRequestOneofCase.FileContainingExtension:
                Refuse(response, StatusCode.NotFound, "there are no extensions");
                break;
            default:
                Refuse(response, StatusCode.InvalidArgument, "the request asks for nothing that is known");
                break;
        }

        return response;
    }

    private static void Describe(Response response, FileDescriptor? file, string asked)
    {
        if (file is null)
        {
            Refuse(response, StatusCode.NotFound, $"{asked} is not known");
            return;
        }

        response.FileDescriptorResponse = new FileDescriptorResponse();
        response.FileDescriptorResponse.FileDescriptorProto.AddRange(DescriptorIndex.WithImports(file).Select(one => one.SerializedData));
    }

    private static void Refuse(Response response, StatusCode code, string message) =>
        response.ErrorResponse = new ErrorResponse { ErrorCode = (int)code, ErrorMessage = message };
}
