using System.Diagnostics;

namespace Coherency.Tests;

/// <summary>A program beside the test that is spoken to line by line, and that ends with its standard input.</summary>
internal sealed class Conversation : IDisposable
{
    private readonly Process _process;

    public Conversation(string program, IEnumerable<string> arguments, string? directory = null) =>
        _process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = directory ?? "",
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;

    public void WriteLine(string line)
    {
        _process.StandardInput.WriteLine(line);
        _process.StandardInput.Flush();
    }

    /// <summary>Waits for a line; null at the end.</summary>
    public string? ReadLine() => _process.StandardOutput.ReadLine();

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }
}
