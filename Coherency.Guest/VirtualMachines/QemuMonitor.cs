using System.Net.Sockets;
using System.Text.Json;

namespace Coherency.Guest.VirtualMachines;

/// <summary>A conversation with QEMU's monitor in its machine protocol (QEMU's docs/interop/qmp-spec).</summary>
public sealed class QemuMonitor : IDisposable
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(30);

    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private StreamReader? _lines;

    private QemuMonitor()
    {
    }

    public static async Task<QemuMonitor> ConnectAsync(string socketPath)
    {
        QemuMonitor monitor = new();
        try
        {
            await monitor._socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath));
            monitor._lines = new StreamReader(new NetworkStream(monitor._socket));
            await monitor.ReadAsync();
            await monitor.AskAsync("""{"execute": "qmp_capabilities"}""");
            return monitor;
        }
        catch
        {
            monitor.Dispose();
            throw;
        }
    }

    /// <summary>Runs a command; returns what it answers.</summary>
    /// <param name="command">A JSON object on one line.</param>
    /// <exception cref="VirtualMachineException">QEMU refused it, or ended.</exception>
    public async Task<JsonElement> AskAsync(string command)
    {
        await _socket.SendAsync(System.Text.Encoding.UTF8.GetBytes(command + "\n"));
        while (true)
        {
            JsonElement answer = await ReadAsync();
            if (answer.TryGetProperty("return", out JsonElement result))
                return result;
            // Events come between the answers.
            if (answer.TryGetProperty("error", out JsonElement error))
                throw new VirtualMachineException($"QEMU refused {command}: {error}");
        }
    }

    public void Dispose()
    {
        _lines?.Dispose();
        _socket.Dispose();
    }

    private async Task<JsonElement> ReadAsync()
    {
        using CancellationTokenSource deadline = new(AnswerTimeout);
        string line = await _lines!.ReadLineAsync(deadline.Token) ?? throw new VirtualMachineException("QEMU closed its monitor");
        using JsonDocument document = JsonDocument.Parse(line);
        return document.RootElement.Clone();
    }
}
