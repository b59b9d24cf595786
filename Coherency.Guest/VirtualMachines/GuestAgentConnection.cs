using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Coherency.Guest.VirtualMachines;

/// <summary>The host's end of the conversation that eng/vm/guest-agent.c documents.</summary>
public sealed class GuestAgentConnection : IDisposable
{
    private const string Greeting = "guest-agent ready";

    private readonly Socket _listener;
    private Stream? _line;

    /// <summary>Listens where QEMU connects the guest's second serial port.</summary>
    public GuestAgentConnection(string socketPath)
    {
        File.Delete(socketPath);
        _listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _listener.Bind(new UnixDomainSocketEndPoint(socketPath));
        _listener.Listen(1);
    }

    // Latin-1 maps every byte to one char, so that callers can write and compare names in any bytes.
    private static Encoding Bytes => Encoding.Latin1;

    private Stream Line => _line ?? throw new InvalidOperationException("QEMU has not connected its serial port");

    public async Task AcceptAsync(CancellationToken cancellation) =>
        _line = new BufferedStream(new NetworkStream(await _listener.AcceptAsync(cancellation), ownsSocket: true));

    /// <summary>Waits for the agent to start; what comes before its greeting is the line's noise at boot.</summary>
    public async Task WaitForGreetingAsync(CancellationToken cancellation)
    {
        while (!(await ReadLineAsync(cancellation)).EndsWith(Greeting, StringComparison.Ordinal))
        {
        }
    }

    public async Task SendAsync(string command, CancellationToken cancellation)
    {
        byte[] text = Bytes.GetBytes(command);
        await Line.WriteAsync(Bytes.GetBytes($"{text.Length}\n"), cancellation);
        await Line.WriteAsync(text, cancellation);
        await Line.FlushAsync(cancellation);
    }

    public async Task<CommandResult> ReceiveAsync(CancellationToken cancellation)
    {
        string[] header = (await ReadLineAsync(cancellation)).Split(' ');
        byte[] output = new byte[int.Parse(header[1], CultureInfo.InvariantCulture)];
        await Line.ReadExactlyAsync(output, cancellation);
        return new CommandResult(int.Parse(header[0], CultureInfo.InvariantCulture), Bytes.GetString(output));
    }

    public void Dispose()
    {
        _line?.Dispose();
        _listener.Dispose();
    }

    private async Task<string> ReadLineAsync(CancellationToken cancellation)
    {
        StringBuilder line = new();
        byte[] next = new byte[1];
        while (true)
        {
            await Line.ReadExactlyAsync(next, cancellation);
            if (next[0] == '\n')
                return line.ToString();
            line.Append((char)next[0]);
        }
    }
}
